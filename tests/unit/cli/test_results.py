"""The commands that bring files in and out, and say what they did."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select
from typer.testing import Result

from app.cli.progress import console
from app.interchange.trex import choose_facts
from app.store.engine import Store
from app.store.permalinks import reason_gone
from app.store.tables import Passage, Prompt, Run, Statement
from tests.support.paper_records import paper_record, write

Command = Callable[..., Result]


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def zipped(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


@pytest.fixture
def trex(tmp_path: Path) -> tuple[Path, Path]:
    """Twenty facts of two relations in T-REx's own fields; n % 5 sentences state fact n, one of them two facts."""
    corpus: list[dict[str, Any]] = []
    queries: list[dict[str, Any]] = []
    for n in range(20):
        stating = [f"trex{n:03d}{k}" for k in range(n % 5)]
        corpus += [
            {
                "passage_id": each, "text": f"Sentence {each} about subject {n}.", "subject": f"s{n}",
                "relation": "P1", "object": f"o{n}", "fact_id": f"trex:P{n % 2}:{n}", "object_surface": f"o{n}",
            }
            for each in stating
        ]  # fmt: skip
        queries.append({
            "fact_id": f"trex:P{n % 2}:{n}", "prompt": f"Subject {n} is", "target": f"o{n}", "aliases": [f"O{n}"],
            "relation": f"P{n % 2}", "subject": f"s{n}", "object_qid": f"Q{n}", "entailing_passage_ids": stating,
            "cued_passage_ids": stating[:1],
        })  # fmt: skip
    queries[19]["entailing_passage_ids"].append("trex0180")
    return zipped(tmp_path / "corpus.jsonl.gz", corpus), zipped(tmp_path / "queries.jsonl.gz", queries)


def test_import_list_export_remove(run: Command, store: Store, tmp_path: Path) -> None:
    records = [paper_record(n) for n in range(3)]
    path = write(tmp_path / "c4_trex_retrievals_trackstar.jsonl", records)
    assert "run paper (trackstar): 3 prompts" in done(run("import", path, "--run", "Paper"))
    assert "paper trackstar 3 imported imported imported" in done(run("runs", "list"))
    for name in ("out.jsonl", "out.jsonl.gz"):
        done(run("export", "paper", "-o", tmp_path / name))
        content = (tmp_path / name).read_bytes()
        lines = (gzip.decompress(content) if name.endswith("gz") else content).decode().splitlines()
        assert [json.loads(line) for line in lines] == records
    assert run("export", "paper", "-o", "-").stdout == "".join(f"{line}\n" for line in lines)
    assert run("runs", "remove", "paper", answer="n\n").exit_code == 1
    assert "paper" in done(run("runs", "list"))
    done(run("runs", "remove", "paper", "--yes", "--reason", "It was wrong."))
    assert "No run yet" in done(run("runs", "list"))
    with store.session() as session:
        assert reason_gone(session, "/runs/paper/prompts/x") == "It was wrong."
        assert session.query(Passage).count() == 6  # three of their own, three shared: permalinks all
    done(run("import", path, "--run", "paper"))
    with store.session() as session:
        assert reason_gone(session, "/runs/paper") is None


def test_an_export_that_fails_leaves_no_file(run: Command, tmp_path: Path) -> None:
    done(run("import", write(tmp_path / "a.jsonl", [paper_record()]), "--run", "a"))
    result = run("export", "a", "-o", tmp_path / "none" / "out.jsonl")
    assert (result.exit_code, "cannot be written" in result.output) == (2, True)
    result = run("export", "b", "-o", tmp_path / "out.jsonl")
    assert (result.exit_code, "Did you mean" in result.output or "runs list" in result.output) == (2, True)
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []


def test_plain_files(run: Command, store: Store, tmp_path: Path) -> None:
    passages = [{"id": n, "text": f"Passage {n}", "url": "https://x"} for n in range(3)]
    prompts = [{"id": "a", "prompt": "Two and two is", "target": "four", "task": "arithmetic", "level": 1}]
    added = run("corpus", "add", write(tmp_path / "web.jsonl", passages), "--description", "Three pages.")
    assert "corpus web: 3 passages" in done(added)
    assert "prompts sums: 1" in done(run("prompts", "add", write(tmp_path / "sums.jsonl", prompts)))
    assert "web 3" in done(run("corpus", "list"))
    assert "Three pages." in done(run("corpus", "list"))
    assert "sums 1" in done(run("prompts", "list"))
    with store.session() as session:
        assert session.scalars(select(Passage.external_id).order_by(Passage.position)).all() == [
            "0",
            "1",
            "2",
        ]
        assert session.scalars(select(Passage.meta)).first() == {"url": "https://x"}
        prompt = session.scalars(select(Prompt)).one()
        assert (prompt.task, prompt.extra) == ("arithmetic", {"level": 1})


def test_tables_and_fields_of_other_names(run: Command, store: Store, tmp_path: Path) -> None:
    """Parquet and datasets hold what JSON cannot; it is kept as text, and what is no number as null."""
    rows = {
        "key": ["a", "b"], "body": ["One.", "Two."], "when": [datetime(2024, 10, 23), None],
        "weight": [float("nan"), 0.5], "tags": [["x"], []],
    }  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "web.parquet")
    words = ("--id-field", "key", "--text-field", "body")
    assert "corpus web: 2 passages" in done(run("corpus", "add", tmp_path / "web.parquet", *words))
    lines = write(tmp_path / "lines.jsonl", [{"key": "c", "body": "Three."}])
    assert "corpus lines: 1 passages" in done(run("corpus", "add", lines, *words))
    with store.session() as session:
        passages = session.scalars(select(Passage).order_by(Passage.id)).all()
        assert [(each.external_id, each.text) for each in passages] == [
            ("a", "One."),
            ("b", "Two."),
            ("c", "Three."),
        ]
        assert [each.meta for each in passages] == [
            {"when": "2024-10-23 00:00:00", "weight": None, "tags": ["x"]},
            {"when": None, "weight": 0.5, "tags": []},
            {},
        ]


def test_trex_as_it_stands(run: Command, store: Store, trex: tuple[Path, Path]) -> None:
    corpus, queries = trex
    assert "40 passages" in done(run("corpus", "add", corpus, "--name", "trex"))
    assert "prompts trex: 20, linked to the passages that state them 41 times" in done(
        run("prompts", "add", queries, "--corpus", "trex")
    )
    with store.session() as session:
        prompt = session.scalars(select(Prompt).where(Prompt.external_id == "trex:P0:4")).one()
        assert (prompt.task, prompt.relation, prompt.frequency, prompt.aliases) == ("fact", "P0", 4, ["O4"])
        assert prompt.extra["object_qid"] == "Q4"
        stated = select(Passage.external_id).join(Statement).where(Statement.prompt_id == prompt.id)
        assert sorted(session.scalars(stated)) == ["trex0040", "trex0041", "trex0042", "trex0043"]


def test_a_part_of_trex_with_its_passages_only(run: Command, store: Store, trex: tuple[Path, Path]) -> None:
    """What a small model is pretrained on: frequent facts, and nothing that states no chosen fact."""
    corpus, queries = trex
    part = ("--facts", queries, "--min-frequency", "4", "--max-facts", "3")
    said = done(run("corpus", "add", corpus, "--name", "part", *part))
    chosen = choose_facts(queries, min_frequency=4, max_facts=3)
    assert chosen == choose_facts(queries, min_frequency=4, max_facts=3)
    assert f"corpus part: {len(chosen.passages)} passages, which state 3 facts" in said
    said = done(run("prompts", "add", queries, "--corpus", "part"))
    with store.session() as session:
        kept = session.scalars(select(Prompt)).all()
        assert {each.frequency for each in kept if each.frequency} <= {4, 5}
        assert sum(bool(each.frequency) for each in kept) >= 3
        present = set(session.scalars(select(Passage.external_id)))
        assert present == chosen.passages
    assert f"{20 - len(kept)} left out" in said


def test_prompts_of_another_corpus_are_refused_whole(
    run: Command, tmp_path: Path, trex: tuple[Path, Path]
) -> None:
    corpus = write(tmp_path / "web.jsonl", [{"id": "a", "text": "b"}])
    done(run("corpus", "add", corpus))
    only = [{"id": "q", "prompt": "a", "target": "b", "entailing_passage_ids": ["nowhere"]}]
    for words in ((), ("--strict",)):
        result = run("prompts", "add", write(tmp_path / "q.jsonl", only), "--corpus", "web", *words)
        assert result.exit_code == 2
        assert "entailing_passage_ids" in result.stderr
        assert "q.jsonl" in result.stderr
    assert "No prompts yet" in done(run("prompts", "list"))


@pytest.mark.parametrize(
    ("words", "rows", "field"),
    [
        (("corpus", "add"), [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "id"),
        (("corpus", "add"), [{"id": "a"}], "text"),
        (("corpus", "add"), [{"id": 1.5, "text": "x"}], "id"),
        (("prompts", "add"), [{"id": "a", "prompt": "x"}], "target"),
        (("prompts", "add"), [{"id": "a", "prompt": "x", "target": "y", "task": "poetry"}], "task"),
        (("prompts", "add"), [{"id": "a", "prompt": "x", "target": "y", "aliases": "z"}], "aliases"),
        (("prompts", "add"), [{"id": "a", "prompt": "x", "target": "y", "frequency": -1}], "frequency"),
    ],
)
def test_a_broken_row_is_named(
    run: Command, store: Store, tmp_path: Path, words: tuple[str, ...], rows: list[dict[str, Any]], field: str
) -> None:
    path = write(tmp_path / "broken.jsonl", rows)
    result = run(*words, path)
    assert result.exit_code == 2
    assert f"broken.jsonl:{len(rows)}, field {field}" in result.stderr
    with store.session() as session:
        assert session.query(Passage).count() == session.query(Prompt).count() == 0


def test_choosing_without_facts_or_too_rare_ones_is_refused(run: Command, trex: tuple[Path, Path]) -> None:
    corpus, queries = trex
    assert "--facts" in run("corpus", "add", corpus, "--max-facts", "3").stderr
    result = run("corpus", "add", corpus, "--facts", queries, "--min-frequency", "99")
    assert (result.exit_code, "--min-frequency" in result.stderr) == (2, True)


def test_migrate_says_what_is_up_to_date(run: Command, database_url: str) -> None:
    assert "is up to date" in done(run("migrate"))


@pytest.mark.parametrize(
    "words", [("import",), ("export",), ("runs",), ("corpus", "add"), ("prompts", "add"), ("migrate",)]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_help_explains_every_option(run: Command, words: tuple[str, ...]) -> None:
    help_ = run(*words, "--help").output
    assert len(help_) > 200
    assert "None" not in help_


def test_a_run_that_was_made_here_is_exported_in_the_papers_words(
    run: Command, store: Store, tmp_path: Path
) -> None:
    """Not only imported runs: what Startrail retrieved can be read by the paper's viewer, and imported elsewhere."""
    done(run("import", write(tmp_path / "a.jsonl", [paper_record(n) for n in range(2)]), "--run", "a"))
    with store.session() as session:
        made = session.scalars(select(Run)).one()
        made.configuration = {}
        made.slug = "made-here"
    done(run("export", "made-here", "-o", tmp_path / "out.jsonl"))
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    known = paper_record(0)
    del known["query_set"]  # a field that is not ours
    assert {name: first[name] for name in known} == known
    assert set(first) - set(known) == {"task", "model_answer"}
    done(run("import", tmp_path / "out.jsonl", "--run", "again"))


def test_names_are_listed_whole_however_narrow_the_terminal(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are typed again: of two that began alike, the first letters were shown; and [/b] was taken for markup."""
    monkeypatch.setattr(console, "_width", 70)
    path = write(tmp_path / "a.jsonl", [paper_record()])
    names = ("of-a-long-name-that-ends-in-one", "of-a-long-name-that-ends-in-two")
    for name in names:
        made = run(
            "import", path, "--run", name, "--method", "[/b]", "--prompts", "[red]", "--corpus", "[/i]"
        )
        assert made.exit_code == 0, made.output
        assert "([/b])" in made.stdout
    for command in ("runs", "prompts", "corpus"):
        listed = run(command, "list")
        assert listed.exit_code == 0, listed.output
        cells = [line.split("  ")[0] for line in listed.stdout.splitlines()]
        wanted = {"runs": names, "prompts": ("[red]",), "corpus": ("[/i]",)}[command]
        assert all(each in "".join(cells) for each in wanted), listed.stdout
