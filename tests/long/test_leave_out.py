"""The leave-out check: trained again without a method's passages. Here a tiny model on 300 passages."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.runs.inputs import open_inputs
from app.runs.retrieve import retrieve
from app.store.corpora import get_corpus
from app.store.engine import open_store
from app.store.models import put_outputs
from app.store.prompts import PromptRecord, add_prompts
from tests.support.asking import made_home, passages, settings_of

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "leave_out.py"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `trackstar` and `bm25` over four facts that the model is said to answer right."""
    home = tmp_path_factory.mktemp("leave-out")
    shutil.copytree(made_home(), home, dirs_exist_ok=True)
    store = open_store(settings_of(home).url)
    with store.session() as session:
        corpus = get_corpus(session, "demo")
        records = [
            PromptRecord(f"fact-{n}", text.rsplit(" ", 1)[0], text.rsplit(" ", 1)[1].strip("."),
                         relation=f"relation-{n % 2}", frequency=2, stated_by=[id_])
            for n, (id_, text) in enumerate(passages()[:4])
        ]  # fmt: skip
        add_prompts(session, "asked", records, corpus=corpus)
        task = open_inputs(session, settings_of(home), "demo", "asked")
        answers = [{"prompt_id": p.id, "answer": p.target, "correct": True, "probability": 0.5, "samples": []}
                   for p in task.prompts]  # fmt: skip
        put_outputs(session, task.model.id, [{**each, "confidence": 1.0} for each in answers])
        for method in ("trackstar", "bm25"):
            retrieve(session, task, method, slug=method, k=5)
    store.engine.dispose()
    return home


def leave_out(home: Path, work: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--home", str(home), "--work", str(work), *more]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def lines(work: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work / "trainings.jsonl").read_text().splitlines()]


def test_each_training_leaves_out_what_it_says_and_is_done_once(home: Path, tmp_path: Path) -> None:
    """Stopped after two trainings (the others' lines are taken away), it trains only the rest, to the same end."""
    first = leave_out(home, tmp_path, "--prompts", "2", "--top", "3")
    assert first.returncode == 0, first.stderr
    trained = {each["name"]: each for each in lines(tmp_path)}
    assert list(trained) == ["nothing", "trackstar", "bm25", "random passages"]
    assert trained["nothing"]["left_out"] == []
    assert all(2 <= len(trained[name]["left_out"]) <= 6 for name in ("trackstar", "bm25"))
    assert len(trained["random passages"]["left_out"]) == max(
        len(trained[name]["left_out"]) for name in ("trackstar", "bm25")
    )
    assert "further from the model's than 0.00 points" in first.stdout, "same seed, same passages: same model"
    checks = {each["name"]: each["value"] for each in json.loads(first.stdout.splitlines()[-1])["checks"]}
    chosen = trained["nothing"]["prompts"][:2]
    assert len({id_[-1] in "02" for id_ in chosen}) == 2, "of two relations"
    for name in ("trackstar", "bm25", "random passages"):
        falls = [trained["nothing"]["probabilities"][p] - trained[name]["probabilities"][p] for p in chosen]
        assert checks[f"fall without {name}: mean of the prompts"] == pytest.approx(50 * sum(falls))
        assert any(falls), "to leave passages out changes something"

    (tmp_path / "trainings.jsonl").write_text("".join(json.dumps(e) + "\n" for e in lines(tmp_path)[:2]))
    second = leave_out(home, tmp_path, "--prompts", "2", "--top", "3")
    assert second.stdout.count("saved before") == 2
    again = {each["name"]: each["probabilities"] for each in lines(tmp_path)}
    assert again == {name: each["probabilities"] for name, each in trained.items()}
    assert not (tmp_path / "model").exists(), "models are not kept"


def test_more_prompts_than_there_are_is_one_clear_error(home: Path, tmp_path: Path) -> None:
    done = leave_out(home, tmp_path, "--prompts", "9")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "--prompts 4" in done.stderr
    assert not (tmp_path / "trainings.jsonl").exists()
