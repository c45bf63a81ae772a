"""One file, every way in: `corpus add`, `index`, `prompts add`, `import` and the upload page take it alike."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from app.interchange.fields import Fields
from app.interchange.plain import read_passages
from app.interchange.records import Reading
from app.interchange.sift import Sift
from app.store.corpora import PassageRecord
from app.store.engine import Store
from app.store.tables import Passage, Prompt, Result
from tests.support.paper_records import paper_record

Rows = list[dict[str, Any]]


def jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def table(rows: Rows) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet(rows: Rows) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


FORMATS: dict[str, Callable[[Rows], bytes]] = {
    "jsonl": jsonl,
    "json": lambda rows: json.dumps(rows, indent=1).encode(),
    "csv": table,
    "parquet": parquet,
    "json, old line ends": lambda rows: json.dumps(rows, indent=1).replace("\n", "\r").encode(),
    "jsonl.gz": lambda rows: gzip.compress(jsonl(rows)),
    # The time in its first bytes holds a line break: such a file ended the import with a traceback.
    "jsonl.gz of another time": lambda rows: gzip.compress(jsonl(rows), mtime=0x6B0D047E),
    "utf-16": lambda rows: jsonl(rows).decode().encode("utf-16"),
}
PASSAGES = [{"text": f"Passage {n}, with “quotes”.", "url": "u"} for n in range(4)]
PROMPTS = [{"prompt": f"The capital of {n} is", "target": "Velo", "note": "kept"} for n in range(3)]


@pytest.mark.parametrize("form", FORMATS)
def test_a_corpus(run: Any, store: Store, tmp_path: Path, form: str) -> None:
    path = tmp_path / "web"
    path.write_bytes(FORMATS[form](PASSAGES))
    said = run("corpus", "add", path)
    assert said.exit_code == 0, said.output
    with store.session() as session:
        found = session.scalars(select(Passage).order_by(Passage.position)).all()
        assert [(each.external_id, each.text, each.meta) for each in found] == [
            (str(n), row["text"], {"url": "u"}) for n, row in enumerate(PASSAGES)
        ]


@pytest.mark.parametrize("form", FORMATS)
def test_prompts(run: Any, store: Store, tmp_path: Path, form: str) -> None:
    path = tmp_path / "asked"
    path.write_bytes(FORMATS[form](PROMPTS))
    said = run("prompts", "add", path)
    assert said.exit_code == 0, said.output
    with store.session() as session:
        found = session.scalars(select(Prompt).order_by(Prompt.position)).all()
        assert [(each.external_id, each.text, each.target, each.extra) for each in found] == [
            (str(n), row["prompt"], "Velo", {"note": "kept"}) for n, row in enumerate(PROMPTS)
        ]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "csv"])  # lists stand in no cell
def test_results(run: Any, store: Store, tmp_path: Path, form: str) -> None:
    path = tmp_path / "found"
    path.write_bytes(FORMATS[form]([paper_record(n) for n in range(3)]))
    said = run("import", path, "--run", "found")
    assert said.exit_code == 0, said.output
    with store.session() as session:
        assert session.scalars(select(Result.top_score)).all() == [0.0504] * 3
    exported = run("export", "found", "-o", tmp_path / "out.jsonl")
    assert exported.exit_code == 0
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()] == [
        paper_record(n) for n in range(3)
    ]


@pytest.mark.parametrize(
    ("name", "value", "column", "kept"),
    [
        ("proponent_correct", [0, 1, 0], "first_correct_rank", 2),
        ("proponent_correct", [0.0, 0.0, 1.0], "first_correct_rank", 3),
        ("proponent_scores", [[3.5], [2.0], [1.0]], "top_score", 3.5),
        ("proponent_ais_scores", [[0.25], [0.75], [0.5]], "best_ais", 0.75),
    ],
)
def test_numbers_as_numpy_writes_them(
    run: Any, store: Store, tmp_path: Path, name: str, value: list[Any], column: str, kept: float
) -> None:
    """Read as what they mean, and given back as they came."""
    record = paper_record(0, is_8b_correct=1, c4_frequency=3_000_000_000) | {name: value}
    path = tmp_path / "found.jsonl"
    path.write_bytes(jsonl([record]))
    said = run("import", path, "--run", "found")
    assert said.exit_code == 0, said.output
    with store.session() as session:
        assert getattr(session.scalars(select(Result)).one(), column) == kept
        assert session.scalars(select(Prompt.frequency)).one() == 3_000_000_000
    assert run("export", "found", "-o", tmp_path / "out.jsonl").exit_code == 0
    assert jsonl([json.loads((tmp_path / "out.jsonl").read_bytes())]) == jsonl([record])  # 1 is not true


def test_a_misspelt_field_is_named_with_the_one_that_was_meant(run: Any, tmp_path: Path) -> None:
    record = paper_record(0)
    record["proponents_scores"] = record.pop("proponent_scores")
    path = tmp_path / "found.jsonl"
    path.write_bytes(jsonl([paper_record(1), record | {"mine": 3}]))
    said = " ".join(run("import", path, "--run", "found").output.split())
    assert "“proponents_scores” is kept, and not understood; was “proponent_scores” meant?" in said
    assert "“mine” is kept, and not understood." in said
    assert "query_set" not in said


def test_a_dry_run_shows_what_becomes_of_each_field_and_adds_nothing(
    run: Any, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "web.csv"
    path.write_bytes(table(PASSAGES))
    shown = run("corpus", "add", path, "--dry-run").output
    assert "record 3" in shown
    assert "record 4" not in shown
    assert "Passage 2" in shown
    assert "url: u" in shown
    with store.session() as session:
        assert session.scalars(select(Passage)).first() is None


def test_what_is_shown_of_a_file_does_not_steer_the_terminal(run: Any, tmp_path: Path) -> None:
    """Passages are hostile text from the web: colours, bells and turned text come as codes."""
    path = tmp_path / "web.jsonl"
    path.write_bytes(jsonl([{"id": "[red]x", "text": "a \x1b[31mred\x07 \u202eback"}]))
    shown = run("corpus", "add", path, "--dry-run").output
    assert "[red]x" in shown
    assert r"a \u001b[31mred\u0007 \u202eback" in shown
    (tmp_path / "none.jsonl").write_bytes(b"")
    assert (
        "none.jsonl, field text: There is no passage" in run("corpus", "add", tmp_path / "none.jsonl").output
    )


def passages(*texts: str) -> list[PassageRecord]:
    return [PassageRecord(str(n), text) for n, text in enumerate(texts)]


def test_documents_are_cut_with_their_offsets() -> None:
    text = "  One two three four\nfive six  seven. "
    pieces = list(Sift(chunk_tokens=3)([*passages(text), PassageRecord("b", "short one", {"k": 1})]))
    assert [each.external_id for each in pieces] == ["0#0", "0#1", "0#2", "b"]
    assert "".join(each.text for each in pieces[:3]) == text
    for each in pieces[:3]:
        assert text[each.meta["start"] : each.meta["end"]] == each.text
        assert each.meta["document"] == "0"
    assert pieces[3].meta == {"k": 1}


def test_duplicates_are_left_out_counted_and_listed(run: Any, tmp_path: Path) -> None:
    words = " ".join(f"w{n}" for n in range(100))
    rows = passages(words, "another text", words, f"{words} and no more", words.replace("w5", "x"))
    exact, nearly = Sift(dedup="exact"), Sift(dedup="near")
    assert [each.external_id for each in exact(rows)] == ["0", "1", "3", "4"]
    assert exact.left_out == [("2", "0")]
    assert [each.external_id for each in nearly(rows)] == ["0", "1", "4"]
    assert nearly.left_out == [("2", "0"), ("3", "0")]
    path = tmp_path / "web.jsonl"
    path.write_bytes(jsonl([{"id": each.external_id, "text": each.text} for each in rows]))
    said = run("corpus", "add", path, "--dedup", "exact", "--left-out", tmp_path / "out.jsonl").output
    assert "4 passages" in said
    assert "1 left out" in said
    assert (tmp_path / "out.jsonl").read_text() == '{"id": "2", "because": "as 0"}\n'


def test_a_part_and_a_sample_keep_ids_and_order(tmp_path: Path) -> None:
    """A number is a row of the file, also where only a part of it is taken."""
    path = tmp_path / "web.jsonl"
    path.write_bytes(jsonl([{"text": f"t{n}"} for n in range(50)]))

    def taken(sift: Sift) -> list[str]:
        return [each.external_id for each in sift(read_passages(path, fields=Fields(), reading=Reading()))]

    assert taken(Sift(limit=3)) == ["0", "1", "2"]
    some = taken(Sift(sample=10, seed=1))
    assert some == sorted(some, key=int) == taken(Sift(sample=10, seed=1))
    assert len(set(some)) == 10
    assert some != taken(Sift(sample=10, seed=2))


def test_results_under_other_names_are_shown_and_come_in_under_the_formats(
    run: Any, store: Store, tmp_path: Path
) -> None:
    row = {"uid": "u", "question": "Mali?", "answer": "Bamako", "docs": ["Bamako."], "proponent_score": [1.0]}
    path = tmp_path / "found.jsonl"
    path.write_bytes(jsonl([row]))
    names = (
        "--id-field",
        "uid",
        "--prompt-field",
        "question",
        "--target-field",
        "answer",
        "--text-field",
        "docs",
    )
    shown = run("import", path, "--run", "found", *names, "--dry-run").output
    assert "not understood; was" in " ".join(shown.split())
    assert "proponent_scores" in shown
    with store.session() as session:
        assert session.scalars(select(Result)).first() is None
    assert run("import", path, "--run", "found", *names).exit_code == 0
    assert run("export", "found", "-o", tmp_path / "out.jsonl").exit_code == 0
    assert json.loads((tmp_path / "out.jsonl").read_bytes()) == {
        "example_id": "u", "inputs_plaintext": "Mali?", "targets_plaintext": "Bamako", "proponents": ["Bamako."],
        "proponent_score": [1.0],
    }  # fmt: skip
    path.write_bytes(jsonl([row | {"example_id": "other"}]))
    refused = run("import", path, "--run", "again", *names)
    assert refused.exit_code == 2
    assert "found.jsonl:1, field uid: The record has “example_id”, too." in " ".join(refused.output.split())


def test_a_part_of_a_prompt_set(run: Any, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_bytes(jsonl([{"prompt": f"The capital of {n} is", "target": "Velo"} for n in range(9)]))
    assert run("prompts", "add", path, "--limit", "6", "--sample", "3", "--seed", "1").exit_code == 0
    with store.session() as session:
        found = session.scalars(select(Prompt.external_id).order_by(Prompt.position)).all()
    assert len(found) == 3
    assert found == sorted(found)
    assert max(found) < "6"


def test_scores_of_another_tool_are_shown_as_they_will_be_read(
    run: Any, store: Store, tmp_path: Path
) -> None:
    """It was refused: “scores, which have no fields”. What comes of them is what one asks before an import."""
    path = tmp_path / "query.csv"
    path.write_text(
        'query,direction,result,result_index,score\nAccra is in,highest,"Accra, in Ghana.",17,0.5\n'
    )
    shown = run("import", path, "--run", "theirs", "--dry-run")
    said = " ".join(shown.output.split())
    assert shown.exit_code == 0, said
    for part in ("bergson-query", "inputs_plaintext read Accra is in", 'proponent_ids read ["17"]', "[0.5]"):
        assert part in said
    path.write_text("query,direction,result,result_index,score\nAccra is in,upwards,Accra.,17,0.5\n")
    refused = run("import", path, "--run", "theirs", "--dry-run")
    assert refused.exit_code == 2
    assert "line" in refused.output or ":2, field direction" in " ".join(refused.output.split())
    with store.session() as session:
        assert session.scalars(select(Result)).first() is None
