"""The same evaluation over model sizes and training checkpoints, by the commands people use. Here tiny models."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.store.corpora import get_corpus
from app.store.engine import open_store
from app.store.prompts import PromptRecord, add_prompts
from tests.support.asking import made_home, passages, settings_of
from tests.support.sites import site

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scaling.py"
TINY = ("--prompts asked --sizes 16,24 --layers 2 --vocab-size 400 --max-length 64 --epochs 1"
        " --checkpoints 2 --projection-dim 4 --limit 2")  # fmt: skip


def scaling(home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "--home", str(home), *TINY.split()]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)


def test_sizes_and_checkpoints_become_curves_of_the_page(tmp_path: Path) -> None:
    """Two sizes and two checkpoints on the way of the larger; a second call computes nothing again."""
    shutil.copytree(made_home(), tmp_path, dirs_exist_ok=True)
    store = open_store(settings_of(tmp_path).url)
    with store.session() as session:
        records = [
            PromptRecord(f"fact-{n}", text.rsplit(" ", 1)[0], text.rsplit(" ", 1)[1], stated_by=[id_])
            for n, (id_, text) in enumerate(passages()[:4])
        ]
        add_prompts(session, "asked", records, corpus=get_corpus(session, "demo"))
    store.engine.dispose()

    first = scaling(tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("$ startrail pretrain") == 2
    checks = {each["name"]: each["value"] for each in json.loads(first.stdout.splitlines()[-1])["checks"]}
    models = list(dict.fromkeys(name.split(":")[0] for name in checks))
    assert models[0] == "demo-w16"
    assert models[-1] == "demo-w24"
    steps = [int(name.rpartition("-")[2]) for name in models[1:-1]]
    assert steps == sorted(steps)
    assert len(steps) == 2

    second = scaling(tmp_path)
    assert [line.split()[2] for line in second.stdout.splitlines() if line.startswith("$")] == ["evaluate"]
    again = {each["name"]: each["value"] for each in json.loads(second.stdout.splitlines()[-1])["checks"]}
    assert again == checks

    with site(settings_of(tmp_path).url, tmp_path) as client:
        figures = {each["id"]: each for each in client.get("/evaluation.json").json()["figures"]}
    by_step = [row for row in figures["mrr-over-training-steps"]["rows"] if row[0] == "TrackStar"]
    assert [row[1] for row in by_step] == [*(f"{step:,}" for step in steps), "final"]
    assert by_step[-1][2] == checks["demo-w24: mrr of trackstar"]
    by_size = [row for row in figures["tail_patch_10-over-parameters"]["rows"] if row[0] == "TrackStar"]
    assert [row[2] for row in by_size] == [
        checks["demo-w16: tail_patch_10 of trackstar"],
        checks["demo-w24: tail_patch_10 of trackstar"],
    ]
