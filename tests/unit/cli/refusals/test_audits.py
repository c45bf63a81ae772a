"""`startrail audit` as it is typed: a list for people and files, and one error for what cannot be."""

import csv
import json
from pathlib import Path

from app.evaluation.audited import read_audit
from tests.support.commands import PASSAGES, refused, startrail


def test_an_audit_is_printed_written_and_kept(whole: Path) -> None:
    """Whatever the form, the same lists; the corpus's name finds its one index."""
    outputs = whole / "unwanted.jsonl"
    outputs.write_text(json.dumps({"prompt": "Copper conducts", "target": "electricity"}) + "\n")
    file = whole / "audit.csv"
    done = startrail("audit", "tiny", "--outputs", outputs, "-k", 3, "-o", file, "--save", "first")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    kept = read_audit(whole / "audits" / "first.json")
    assert [each.by for each in kept.rankings] == ["self-influence", "trackstar", "bm25"]
    assert [int(row["row"]) for row in rows] == [row for each in kept.rankings for row in each.rows]
    assert next(row["text"] for row in rows if row["by"] == "bm25") == "Copper conducts electricity."
    assert "startrail audit tiny --outputs" in kept.about["command"]
    table = startrail("audit", "tiny", "--by", "self-influence", "-k", 2)
    assert f"the first 2 of {len(PASSAGES) - 1} passages" in " ".join(table.output.split())
    lines = startrail("audit", "tiny", "--by", "self-influence", "-k", 2, "--format", "jsonl").stdout
    assert [json.loads(line)["rank"] for line in lines.splitlines()] == [1, 2]


def test_what_cannot_be_audited_is_refused_and_nothing_written(whole: Path) -> None:
    file = whole / "audit.csv"
    refused(startrail("audit"), "startrail changes")
    refused(startrail("audit", "moon", "-o", file), "There is no index “moon”", "There are: tiny.")
    refused(startrail("audit", "tiny", "--by", "ekfac", "-o", file), "Name them with --outputs")
    refused(startrail("audit", "tiny", "--by", "self-influence+ekfac", "-o", file), "--rerank ekfac")
    refused(startrail("audit", "tiny", "--over", "mean", "-o", file), "sum or max")
    refused(startrail("audit", "tiny", "--format", "xml"), "table or jsonl or csv")
    refused(startrail("audit", "tiny", "-o", whole / "audit.txt"), "Use jsonl or csv.")
    refused(startrail("audit", "tiny", "--save", "../up", "-o", file), "without slashes")
    refused(startrail("audit", "tiny", "--outputs", "nowhere.jsonl", "-o", file), "nowhere.jsonl")
    empty = whole / "empty.jsonl"
    empty.write_text(json.dumps({"prompt": "Copper"}) + "\n")
    refused(startrail("audit", "tiny", "--outputs", empty, "-o", file), f"{empty}:1", "--target-field")
    assert not file.exists()
    assert not (whole / "audits").exists()
