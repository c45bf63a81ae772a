"""Choices and the right one, as files have them: under the usual names or others, and left alone where they mean else."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import UserError
from app.interchange.fields import Fields
from app.interchange.plain import LeftOut, read_prompts
from app.interchange.results import import_results
from app.interchange.results_out import export_results
from app.store.engine import Store
from app.store.prompts import PromptRecord
from app.store.tables import Prompt

ROW = {"prompt": "The kite tore, so Ama", "choices": ["mended it.", "ate it."], "label": 0}


def read(tmp_path: Path, row: dict[str, Any], name: str = "set.jsonl", **fields: str) -> PromptRecord:
    path = tmp_path / name
    path.write_text(json.dumps(row) + "\n")
    (prompt,) = read_prompts(path, fields=Fields(**fields))
    return prompt


def test_the_right_choice_is_the_target(tmp_path: Path) -> None:
    prompt = read(tmp_path, ROW)
    assert (prompt.choices, prompt.label, prompt.target) == (["mended it.", "ate it."], 0, "mended it.")
    assert prompt.extra == {}


@pytest.mark.parametrize("label", [1, "1", " 1"])
def test_a_label_may_be_a_number_or_the_text_of_one(tmp_path: Path, label: object) -> None:
    assert read(tmp_path, ROW | {"label": label}).target == "ate it."


def test_in_a_table_of_texts_the_list_is_read_out_of_its_text(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text("prompt,choices,label\n\"The kite tore, so Ama\",\"['mended it.', 'ate it.']\",1\n")
    (prompt,) = read_prompts(path)
    assert (prompt.label, prompt.target) == (1, "ate it.")


def test_fields_of_other_names(tmp_path: Path) -> None:
    """As MMLU has it: the number of the right one stands where other sets have the target."""
    row = {"question": "2 + 2 =", "options": ["3", "4", "5"], "answer": 1, "subject": "sums"}
    prompt = read(tmp_path, row, choices="options", label="answer")
    assert (prompt.text, prompt.target, prompt.label) == ("2 + 2 =", "4", 1)


def test_without_a_label_the_target_says_which(tmp_path: Path) -> None:
    row = {"prompt": "So Ama", "choices": ["slept.", "sang."], "target": "sang."}
    assert read(tmp_path, row).label == 1


def test_a_prompt_with_a_blank_choice_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(ROW | {"choices": ["mended it.", " "]}) + "\n")
    left_out: LeftOut = []
    assert list(read_prompts(path, left_out=left_out)) == []
    assert left_out == [("0", "choice 2 is blank")]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"label": 2}, "label"),
        ({"label": "2"}, "label"),
        ({"target": "sang."}, "target"),
    ],
)
def test_a_label_that_names_no_choice_is_refused(tmp_path: Path, row: dict[str, Any], field: str) -> None:
    """Numbers from 1 would make every answer wrong, or nearly: the first one out of range says so."""
    with pytest.raises(UserError) as caught:
        read(tmp_path, ROW | row)
    assert (caught.value.field, caught.value.line) == (field, 1)


@pytest.mark.parametrize(
    "kept",
    [
        {"label": "neutral"},
        {"choices": {"text": ["a", "b"], "label": ["A", "B"]}, "label": 1},
        {"choices": ["the only one"], "label": 0},
        {"choices": "many", "label": 3},
    ],
)
def test_fields_of_these_names_that_mean_something_else_are_kept(
    tmp_path: Path, kept: dict[str, Any]
) -> None:
    prompt = read(tmp_path, {"prompt": "It rained, so", "target": "we stayed."} | kept)
    assert (prompt.choices, prompt.label) == (None, None)
    assert prompt.extra == kept


@pytest.mark.parametrize(
    ("row", "fields", "field"),
    [
        ({"options": "a or b"}, {"choices": "options"}, "options"),
        ({"options": ["a"]}, {"choices": "options"}, "options"),
        ({"choices": ["a", "b"]}, {"label": "key"}, "key"),
        ({"choices": ["a", "b"], "key": "B"}, {"label": "key"}, "key"),
        ({"key": 1}, {"label": "key"}, "choices"),
    ],
)
def test_what_the_user_named_must_be_there(
    tmp_path: Path, row: dict[str, Any], fields: dict[str, str], field: str
) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, {"prompt": "It rained, so", "target": "a"} | row, **fields)
    assert caught.value.field == field


RECORD = {
    "example_id": "one",
    "inputs_plaintext": "The kite tore, so Ama",
    "targets_plaintext": "mended it.",
    "choices": ["mended it.", "ate it."],
    "label": 0,
    "weighed_choices": {"by": "token", "logs": [-3.5, -9.25], "tokens": [3, 3]},
    "contrast": " ate it.",
    "proponents": ["Kites are mended with glue."],
    "proponent_halves": [2],
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"label": 1.0},
        {"label": "B"},
        {"choices": {"A": "mended it."}},
        {"choices": None},
        {"weighed_choices": {"by": "token", "logs": [-3, -9.25], "tokens": [3, 3]}},
        {"weighed_choices": "none"},
        {"contrast": ["ate it."]},
    ],
)
def test_a_results_file_comes_back_as_it_went_in(
    store: Store, tmp_path: Path, changes: dict[str, Any]
) -> None:
    record = RECORD | changes
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(record) + "\n")
    with store.session() as session:
        run = import_results(session, path, run="file")
        assert list(export_results(session, run)) == [record]
        assert "unknown_fields" not in run.configuration
        prompt = session.query(Prompt).one()
        assert (prompt.choices == RECORD["choices"]) is ("choices" not in changes)
