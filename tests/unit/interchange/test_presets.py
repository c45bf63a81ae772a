"""Published prompt sets are one command each. The rows here have their shape; the sentences are ours."""

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.errors import UserError
from app.interchange.plain import LeftOut, read_prompts
from app.interchange.presets import PRESETS, preset
from app.store.engine import Store
from app.store.tables import Prompt

GUIDE = Path(__file__).parents[3] / "docs" / "bring-your-own.md"
# preset -> row as published, what becomes of it
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "copa",
        {"premise": "The kettle whistled.", "choice1": "The water boiled.", "choice2": "I slept.",
         "question": "cause", "label": 0, "idx": 7},
        {"text": "The kettle whistled because", "target": "the water boiled.", "task": "commonsense", "external_id": "7",
         "choices": ["the water boiled.", "I slept."], "label": 0},
    ),
    (
        "copa",
        {"premise": "It rained.", "choice1": "The sun set.", "choice2": "I got wet.", "question": "effect", "label": 1},
        {"text": "It rained so", "target": "I got wet."},
    ),
    (
        "piqa",
        {"goal": "Dry a wet boot.", "sol1": "Fill it with paper.", "sol2": "Fill it with soup.", "label": "0"},
        {"text": "Goal: Dry a wet boot.\nSolution:", "target": "Fill it with paper.", "external_id": "0"},
    ),
    (
        "hellaswag",
        {"ind": 24, "activity_label": "Roof", "ctx": "A man is on a roof. He", "label": "1",
         "endings": ["eats it.", "lifts a tile.", "is a fish.", "swims off."]},
        {"text": "Roof: A man is on a roof. He", "target": "lifts a tile.", "external_id": "24"},
    ),
    (
        "commonsenseqa",
        {"id": "q1", "answerKey": "B", "question": {"stem": "Where is milk kept?", "choices": [
            {"label": "A", "text": "oven"}, {"label": "B", "text": "fridge"}]}},
        {"text": "Question: Where is milk kept?\nAnswer:", "target": "fridge", "external_id": "q1"},
    ),
    (
        "commonsenseqa",
        {"id": "q2", "question": "Where is milk kept?", "answerKey": "A",
         "choices": {"label": ["A", "B"], "text": ["fridge", "oven"]}},
        {"text": "Question: Where is milk kept?\nAnswer:", "target": "fridge",
         "choices": ["fridge", "oven"], "label": 0,
         "extra": {"question": "Where is milk kept?", "answerKey": "A"}},
    ),
    (
        "popqa",
        {"id": "42", "subj": "Ama Doe", "prop": "occupation", "obj": "potter", "s_pop": "12",
         "question": "What is Ama Doe's occupation?", "possible_answers": '["potter", "ceramist"]'},
        {"text": "Question: What is Ama Doe's occupation?\nAnswer:", "target": "potter", "aliases": ["ceramist"],
         "subject": "Ama Doe", "relation": "occupation", "task": "fact"},
    ),
    (
        "svamp",
        {"ID": "chal-1", "Body": "Kofi has 8 figs. He eats 3", "Question": "How many figs are left?", "Answer": 5.0},
        {"text": "Question: Kofi has 8 figs. He eats 3. How many figs are left?\nAnswer:", "target": "5",
         "task": "arithmetic", "external_id": "chal-1"},
    ),
    (
        "lama",
        {"uuid": "u1", "obj_label": "Accra", "sub_label": "Ama Doe", "predicate_id": "P19",
         "template": "[X] was born in [Y] ."},
        {"text": "Ama Doe was born in", "target": "Accra", "relation": "P19", "subject": "Ama Doe"},
    ),
    (
        "lama",
        {"uuid": "u2", "obj_label": "green", "masked_sentences": ["Leaves in summer are [MASK]."]},
        {"text": "Leaves in summer are", "target": "green"},
    ),
    (
        "gpt3-arithmetic",
        {"context": "Q: What is 98 plus 45?\n\nA:", "completion": " 143"},
        {"text": "Q: What is 98 plus 45?\n\nA:", "target": "143", "task": "arithmetic"},
    ),
]  # fmt: skip
SILENT: list[tuple[str, dict[str, Any], str]] = [
    ("copa", {**CASES[0][1], "label": -1}, "no choice is said to be right"),
    ("hellaswag", {**CASES[3][1], "label": ""}, "no choice is said to be right"),
    ("commonsenseqa", {**CASES[5][1], "answerKey": ""}, "no choice is said to be right"),
    ("lama", {**CASES[8][1], "template": "[Y] is where [X] was born ."}, "no words stand before the object"),
    ("lama", {**CASES[8][1], "template": "[X] sees [Y] every day ."}, "words follow the object"),
]


@pytest.mark.parametrize(("name", "row", "expected"), CASES)
def test_a_row_as_published_becomes_a_prompt(
    tmp_path: Path, name: str, row: dict[str, Any], expected: dict[str, Any]
) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (prompt,) = read_prompts(path, form=preset(name))
    made = vars(prompt)
    kept = expected.pop("extra", {})
    assert {field: made[field] for field in expected} == expected
    assert made["extra"].items() >= kept.items()


def test_every_preset_has_a_case() -> None:
    assert {name for name, _, _ in CASES} == set(PRESETS)
    with pytest.raises(UserError, match="copa, piqa"):
        preset("trivia")


@pytest.mark.parametrize(("name", "row", "why"), SILENT)
def test_a_row_that_makes_no_prompt_is_left_out_with_its_reason(
    tmp_path: Path, name: str, row: dict[str, Any], why: str
) -> None:
    """Test splits keep their labels; half of LAMA's templates go on after the object."""
    path = tmp_path / "set.jsonl"
    path.write_text(
        json.dumps(row) + "\n" + json.dumps(next(good for other, good, _ in CASES if other == name)) + "\n"
    )
    left_out: LeftOut = []
    assert len(list(read_prompts(path, form=preset(name), left_out=left_out))) == 1
    assert [reason for _, reason in left_out] == [why]


def test_popqa_comes_as_a_table_of_texts(tmp_path: Path) -> None:
    """As downloaded: a TSV whose lists are JSON in a cell."""
    path = tmp_path / "test.tsv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(CASES[6][1]), delimiter="\t")
        writer.writeheader()
        writer.writerow(CASES[6][1])
    (prompt,) = read_prompts(path, form=preset("popqa"))
    assert (prompt.target, prompt.aliases) == ("potter", ["ceramist"])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_recipe_of_the_guide_runs_on_a_file_laid_out_as_published(
    run: Any, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SVAMP is one JSON array, PopQA a table, all others are lines."""
    monkeypatch.chdir(tmp_path)
    block = re.findall(r"```sh\n(.*?)```", GUIDE.read_text().split("\n## Prompts")[1], re.DOTALL)[0]
    used = set()
    for command in block.splitlines():
        words = shlex.split(command)
        file, name = Path(words[3]), words[words.index("--preset") + 1]
        rows = [row for other, row, _ in CASES if other == name][:1]
        file.parent.mkdir(exist_ok=True)
        if file.suffix == ".tsv":
            text = "\t".join(rows[0]) + "\n" + "\t".join(rows[0].values()).replace('"', '""') + "\n"
            file.write_text(text.replace('[""potter"", ""ceramist""]', '"[""potter"", ""ceramist""]"'))
        else:
            file.write_text(json.dumps(rows) if file.suffix == ".json" else json.dumps(rows[0]) + "\n")
        said = run(*words[1:])
        assert said.exit_code == 0, said.output
        used.add(name)
    assert used == set(PRESETS)
    with store.session() as session:
        assert len(session.scalars(select(Prompt)).all()) == len(PRESETS)


def test_a_set_that_is_another_is_named_by_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text('{"premise": "It rained.", "question": "why"}\n')
    with pytest.raises(UserError, match=r"set\.jsonl:1, field question"):
        list(read_prompts(path, form=preset("copa")))
    with pytest.raises(UserError, match=r"set\.jsonl:1, field sol1"):
        list(read_prompts(path, form=preset("piqa")))


def test_blank_prompts_and_targets_are_left_out_counted_and_listed(
    run: Any, store: Store, tmp_path: Path
) -> None:
    """They were added, and then `retrieve` gave no run at all."""
    path = tmp_path / "asked.jsonl"
    rows = [
        ("ok", "The capital of Mali is", "Bamako"),
        ("blank", "The capital of Mali is", " "),
        ("none", "", "x"),
    ]
    path.write_text("".join(json.dumps({"id": i, "prompt": p, "target": t}) + "\n" for i, p, t in rows))
    said = run("prompts", "add", path)
    assert said.exit_code == 0
    assert "2 left out" in said.output
    assert "blank: the target is blank" in said.output
    assert "none: the prompt is blank" in said.output
    with store.session() as session:
        assert session.scalars(select(Prompt.external_id)).all() == ["ok"]


def test_labels_that_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    """As PIQA's archive has them."""
    rows = [{"goal": "Dry a boot.", "sol1": "Fill it with paper.", "sol2": "Fill it with soup."}] * 2
    asked, labels = tmp_path / "valid.jsonl", tmp_path / "valid-labels.lst"
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels.write_text("0\n1\n")
    found = read_prompts(asked, form=preset("piqa"), labels=labels)
    assert [each.target for each in found] == ["Fill it with paper.", "Fill it with soup."]
    for lines, said in (
        ("0\n", ":2, field label: .* has no line for it"),
        ("0\n1\n1\n", ":3: There are more labels"),
    ):
        labels.write_text(lines)
        with pytest.raises(UserError, match=said):
            list(read_prompts(asked, form=preset("piqa"), labels=labels))
