"""The table of architectures is made by its benchmark: what it says of one of each way of being built stays so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "architectures.py"
ONLY = "llama,gpt2,opt,gemma2,mixtral,mamba2,rwkv,phimoe"


def test_each_kind_is_right_or_refused_by_name() -> None:
    """Tokens in one row (OPT), a soft cap (Gemma 2), routed experts in one tensor, a router that answers twice, mixers."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "--only", ONLY]
    made = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert made.returncode == 0, made.stderr
    rows = [line for line in made.stdout.splitlines() if line.startswith("| ")]
    said = {cells[1].strip(): cells[4].strip() for line in rows[2:] if (cells := line.split("|"))}
    assert said == {
        **dict.fromkeys(["llama", "gpt2", "opt", "gemma2", "mamba2", "rwkv"], "right"),
        "mixtral without experts": "right, the rest refused by name",
        "phimoe without experts, router": "right, the rest refused by name",
    }
    checks = {each["name"]: each["value"] for each in json.loads(made.stdout.splitlines()[-1])["checks"]}
    assert checks["wrong without a word"] == checks["neither right nor refused by name"] == 0
