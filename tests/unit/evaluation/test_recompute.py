"""Whoever doubts a figure can recompute it: from exported files, by a script that knows nothing of Startrail."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from evaluated import fill
from sqlalchemy import update
from typer.testing import CliRunner

from app.cli.main import app
from app.settings import get_settings
from app.store.engine import open_store
from app.store.runs import get_run
from app.store.tables import Result, Retrieved

SCRIPT = Path(__file__).parents[3] / "docs" / "recompute.py"
RUNS = ("bm25", "random", "trackstar", "trackstar-step-100")


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `evaluation.json` and the files of four runs, made by the commands; one run has AIS scores."""
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path))
    monkeypatch.delenv("STARTRAIL_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    store = open_store(get_settings().url, migrate=True)
    with store.session() as session:
        fill(session, evaluate=False)
        bm25 = get_run(session, "bm25")
        own = Retrieved.result_id.in_(session.query(Result.id).where(Result.run_id == bm25.id))
        # Some scores lie on the threshold, some are missing.
        for rank, score in ((1, 0.3), (2, 0.5), (3, 0.9), (5, 0.49)):
            session.execute(update(Retrieved).where(own, Retrieved.rank == rank).values(ais_score=score))
        session.execute(update(Retrieved).where(own, Retrieved.rank == 7).values(tail_patch=None))
    store.engine.dispose()
    _command("evaluate", "--runs", ",".join(RUNS), "--json", str(tmp_path / "evaluation.json"))
    for run in RUNS:
        _command("export", run, "-o", str(tmp_path / f"{run}.jsonl"))
    yield tmp_path
    get_settings.cache_clear()


def _command(*arguments: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


def recomputed(folder: Path) -> subprocess.CompletedProcess[str]:
    files = [str(folder / f"{run}.jsonl") for run in RUNS]
    command = [sys.executable, "-I", str(SCRIPT), str(folder / "evaluation.json"), *files]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)


def test_every_figure_of_the_page_comes_out_again(exported: Path) -> None:
    """Measures, each slice, types by rank, and the differences between any two of the runs."""
    page = json.loads((exported / "evaluation.json").read_text())
    done = recomputed(exported)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {tuple(line.split()[:2]): line.split() for line in done.stdout.splitlines()}
    assert set(lines) == {(run, task) for run in RUNS for task in page[run]["tasks"]}
    for (run, task), line in lines.items():
        shown = page[run]["tasks"][task]
        shown["against"] = {other: each for other, each in shown["against"].items() if other in RUNS}
        assert int(line[2].replace(",", "")) == numbers(shown), (run, task)
    facts = page["bm25"]["tasks"]["fact"]
    assert set(facts["against"]) == {"random", "trackstar", "trackstar-step-100"}
    assert all(facts["slices"][by] for by in ("relation", "bucket", "right", "confidence"))
    assert {"ais_mrr", "tail_patch_5", "recall_at_3", "precision_at_5"} <= set(facts["overall"])
    assert "tail_patch_10" not in facts["overall"], "one of the ten was not measured"


def numbers(tree: Any) -> int:
    """How many there are; types that no passage has do not count."""
    if isinstance(tree, dict | list):
        return sum(map(numbers, tree.values() if isinstance(tree, dict) else tree))
    return int(tree != 0 or isinstance(tree, float))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("overall", "mrr", "mean"), "overall mrr mean"),
        (("slices", "relation", "seat", "recall_at_3", "high"), "slices relation seat recall_at_3 high"),
        (("against", "random", "average_precision", "low"), "against random average_precision low"),
        (("types", 0, "states"), "types 1 states"),
        (("prompts",), "prompts"),
    ],
)
def test_a_figure_that_is_not_what_the_files_say_is_found(
    exported: Path, place: tuple[str | int, ...], said: str
) -> None:
    """The script can fail: one number is changed."""
    file = exported / "evaluation.json"
    page = json.loads(file.read_text())
    *path, last = place
    tree = page["trackstar"]["tasks"]["fact"]
    for key in path:
        tree = tree[key]
    tree[last] += 0.001 if isinstance(tree[last], float) else 1
    file.write_text(json.dumps(page))
    done = recomputed(exported)
    assert done.returncode == 1
    assert "1 numbers differ" in done.stderr
    assert next(line for line in done.stdout.splitlines() if "DIFFERS" in line).startswith(
        f"  DIFFERS {said} here"
    )
