"""Several models within a budget: what was not asked of lately makes room, and never more than is needed."""

from app.tracing.least_used import LeastUsed, held, machine_memory


def test_what_was_used_least_lately_makes_room_for_what_comes() -> None:
    memory = {"a": 0, "b": 0, "c": 0}
    kept: LeastUsed[str] = LeastUsed(100, lambda: sum(memory[name] for name in memory if kept_now(name)))

    def kept_now(name: str) -> bool:
        return name in kept._kept

    def take(name: str, size: int) -> str:
        memory[name] = size
        return kept.put(name, size, lambda: name)

    take("a", 40)
    take("b", 40)
    assert kept.get("a") == "a", "which makes b the one used least lately"
    take("c", 50)
    assert [name for name in memory if kept_now(name)] == ["a", "c"]
    take("b", 500)
    assert [name for name in memory if kept_now(name)] == ["b"], "one is kept whatever it takes"
    take("b", 60)
    assert kept.get("b") == "b"


def test_a_process_knows_what_it_holds() -> None:
    """More by what it makes, and less than the machine has."""
    before = held()
    filled = bytearray(b"x") * 50_000_000
    assert 40_000_000 < held() - before < 90_000_000
    assert len(filled) < machine_memory()
