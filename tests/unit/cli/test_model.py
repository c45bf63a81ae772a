"""`startrail model`, as typed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app

pytestmark = pytest.mark.slow


def model(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["model", *map(str, arguments)])


def test_model_show_tells_weights_groups_and_moments(checkpoints: Callable[..., Path]) -> None:
    shown = json.loads(model("show", checkpoints("gpt2", "adamw"), "--json").output)
    assert shown["second_moments"].startswith("adamw state in optimizer.pt")
    assert {(row["kind"], row["group"]) for row in shown["weights"]} == {
        (k, g) for k in ("attention", "mlp") for g in (0, 1)
    }
    assert all(row["transposed"] for row in shown["weights"])
    text = model("show", checkpoints("llama")).output
    assert "attention" in text
    assert "14 weights" in text
    assert "estimated from the corpus" in model("show", checkpoints("llama", None)).output.replace("\n", " ")
