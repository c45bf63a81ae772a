"""Whoever doubts a figure can recompute it: from exported files, by a script that knows nothing of Startrail."""

import json
import subprocess
import sys
from pathlib import Path

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
    page = json.loads((exported / "evaluation.json").read_text())
    done = recomputed(exported)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = [
        (run, task, name)
        for run in RUNS
        for task, each in page[run]["tasks"].items()
        for name in each["overall"]
    ]
    lines = [tuple(line.split()[:3]) for line in done.stdout.splitlines()]
    assert sorted(lines) == sorted(figures)
    assert ("bm25", "fact", "ais_mrr") in lines
    assert ("trackstar", "fact", "tail_patch_10") in lines
    assert ("bm25", "fact", "tail_patch_5") in lines
    assert ("bm25", "fact", "tail_patch_10") not in lines, "one of the ten was not measured"
    assert ("bm25", "arithmetic", "average_precision") in lines


def test_a_figure_that_is_not_what_the_files_say_is_found(exported: Path) -> None:
    """The script can fail: one mean is changed by a thousandth."""
    file = exported / "evaluation.json"
    page = json.loads(file.read_text())
    page["trackstar"]["tasks"]["fact"]["overall"]["mrr"]["mean"] += 0.001
    file.write_text(json.dumps(page))
    done = recomputed(exported)
    assert done.returncode == 1
    assert "1 figures differ" in done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines() if "DIFFERS" in line] == [
        ["trackstar", "fact", "mrr"]
    ]
