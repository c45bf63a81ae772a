"""What many readers ask for at once is worked out once."""

from pathlib import Path
from threading import Barrier, Thread

import pytest

from app.store import memory
from app.store.engine import open_store
from app.store.memory import remembered
from app.store.runs import list_runs
from tests.support.databases import filled
from tests.support.seeded import fill

READERS = 4


@pytest.fixture
def url(tmp_path: Path, migrated_sqlite: Path) -> str:
    (tmp_path / "startrail.db").write_bytes(migrated_sqlite.read_bytes())
    return filled(
        f"sqlite:///{tmp_path / 'startrail.db'}", lambda session: fill(session, prompts=8, passages=40, k=2)
    )


def test_readers_who_come_together_wait_for_the_first(url: str) -> None:
    """Sixteen first readers of a run of a million prompts read its columns sixteen times: 4.8 GB."""
    started, made, had = Barrier(READERS), [], []

    def make() -> str:
        made.append(1)
        return "worked out"

    with open_store(url) as store:

        def read() -> None:
            with store.session() as session:
                runs = list_runs(session)
                started.wait()
                had.append(remembered(session, "something", runs, make))

        threads = [Thread(target=read) for _ in range(READERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert had == ["worked out"] * READERS
    assert len(made) == 1


def test_what_fails_is_tried_again_by_the_next(url: str) -> None:
    with open_store(url) as store, store.session() as session:
        runs = list_runs(session)
        with pytest.raises(ZeroDivisionError):
            remembered(session, "something", runs, lambda: 1 // 0)
        assert remembered(session, "something", runs, lambda: "worked out") == "worked out"
    assert not memory._making.get(store.engine)
