"""Exported files: nothing a spreadsheet computes, nothing cut off unnoticed, nothing lost."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.site.export_rows import END, csv_rows, jsonl_rows, safe_cell
from app.web.site.serialize import sendable

texts = st.text(st.characters(exclude_characters="\0"), max_size=20) | st.just("lone \ud800 surrogate")
rows = st.lists(
    st.fixed_dictionaries({"a": texts, "n": st.integers() | st.floats(allow_nan=False)}), max_size=8
)


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


@given(rows)
def test_csv_keeps_every_row_and_marks_the_last(records: list[dict[str, Any]]) -> None:
    """A file that was cut off anywhere lacks the mark, or is not CSV any more."""
    got = read_csv(b"".join(csv_rows(["a", "n"], records)))
    assert [row["a"] for row in got] == [sendable(str(safe_cell(record["a"]))) for record in records]
    assert [row["n"] for row in got] == [str(r["n"]) for r in records]
    assert [row[END] for row in got] == [""] * (len(records) - 1) + [str(len(records))] * bool(records)


@given(rows)
def test_json_lines_are_the_records_and_the_last_says_it_is_the_last(records: list[dict[str, Any]]) -> None:
    data = b"".join(jsonl_rows(records))
    got = [json.loads(line) for line in data.splitlines()]
    if got:
        assert got[-1].pop(END) == len(records)
    assert got == records


@pytest.mark.parametrize(
    "text",
    [
        "=HYPERLINK(\"http://evil\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1",
        "＝1+1", "＋1", "－1", "＠x",
    ],
)  # fmt: skip
def test_text_that_a_spreadsheet_would_compute_is_made_text(text: str) -> None:
    assert safe_cell(text).startswith("'")
    assert safe_cell(text)[1:] == text


@pytest.mark.parametrize(
    ("value", "cell"), [(-0.5, -0.5), (None, ""), (True, "true"), ("a-b", "a-b"), (["=x"], '["=x"]')]
)
def test_numbers_and_plain_text_are_left_alone(value: Any, cell: Any) -> None:
    assert safe_cell(value) == cell


@given(rows.filter(bool), st.data())
def test_a_file_cut_anywhere_lacks_its_end(records: list[dict[str, Any]], data: st.DataObject) -> None:
    """A download that broke off looks whole to every tool but for the mark of the last row."""
    for make in (lambda: csv_rows(["a", "n"], records), lambda: jsonl_rows(records)):
        whole = b"".join(make())
        cut = whole[: data.draw(st.integers(0, len(whole) - 3))]
        if whole.startswith(b"{"):
            last = cut.splitlines()[-1:]
            assert not any(END.encode() in line and line.endswith(b"}") for line in last)
        else:
            got = list(csv.DictReader(io.StringIO(cut.decode("utf-8", "replace"), newline="")))
            assert not got or got[-1].get(END) != str(len(records))
