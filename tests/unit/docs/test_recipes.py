"""The recipes for tasks that choose, as the guide has them: each command runs, on files laid out as the sets are published."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.store.engine import open_store
from app.store.prompts import get_prompt_set, list_prompts
from app.store.runs import get_run
from app.store.tables import Output
from tests.support.asking import made_home, settings_of

GUIDE = Path(__file__).parents[3] / "docs" / "bring-your-own.md"
FILES: dict[str, list[dict[str, Any]]] = {  # laid out as published; the sentences are ours
    "copa/val.jsonl": [
        {"premise": "The kettle whistled.", "choice1": "The water boiled.", "choice2": "I slept.", "question": "cause",
         "label": 0, "idx": 0},
        {"premise": "It rained.", "choice1": "The sun set.", "choice2": "I got wet.", "question": "effect", "label": 1, "idx": 1},
    ],
    "piqa/valid.jsonl": [
        {"goal": "Dry a wet boot.", "sol1": "Fill it with soup.", "sol2": "Fill it with paper.", "label": 1},
    ],
    "hellaswag_val.jsonl": [
        {"ind": 24, "activity_label": "Roof", "ctx": "A man is on a roof. He", "label": "1",
         "endings": ["eats it.", "lifts a tile.", "is a fish.", "swims off."]},
    ],
    "dev_rand_split.jsonl": [
        {"id": "q1", "answerKey": "B", "question": {"stem": "Where is milk kept?", "choices": [
            {"label": "A", "text": "oven"}, {"label": "B", "text": "fridge"}, {"label": "C", "text": "shoe"}]}},
    ],
    "mmlu.jsonl": [{"question": "2 + 2 =", "choices": ["3", "4", "5", "22"], "answer": 1, "subject": "sums"}],
}  # fmt: skip
RIGHT = {
    "copa": ["the water boiled.", "I got wet."],
    "piqa": ["Fill it with paper."],
    "hellaswag": ["lifts a tile."],
    "commonsenseqa": ["fridge"],
    "mmlu": ["4"],
}


def commands() -> list[str]:
    """What stands in the shell blocks of the section."""
    section = GUIDE.read_text().split("### Tasks that choose")[1].split("\n## ")[0]
    return [
        line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()
    ]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the index that the guide calls `mine`, and the files beside it."""
    shutil.copytree(made_home(), tmp_path / "home")
    (tmp_path / "home" / "indexes" / "demo").rename(tmp_path / "home" / "indexes" / "mine")
    for name, rows in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STARTRAIL_DEVICE", "cpu")
    return tmp_path / "home"


@pytest.mark.slow
def test_every_command_runs_and_every_set_has_its_choices(home: Path) -> None:
    asked = commands()
    assert len(asked) == 9
    for command in asked:
        name, *arguments = shlex.split(command)
        assert name == "startrail"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, f"{command}: {done.output}"
    with open_store(settings_of(home).url) as store, store.session() as session:
        for name, right in RIGHT.items():
            prompts = list_prompts(session, get_prompt_set(session, name).id)
            assert [prompt.target for prompt in prompts] == right
            assert [(prompt.choices or [])[prompt.label or 0] for prompt in prompts] == right
        assert get_run(session, "copa-rather").configuration["contrast"] == "choices"
        outputs = session.query(Output).all()
        assert {output.weighed["by"] for output in outputs if output.weighed} == {"token"}
        assert len(outputs) == 2
