"""`startrail finetune` from the command line: a corpus of the home makes a model of the home, and it says what it needs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from tests.support.lessons import COMPLETION, TEXT


@pytest.fixture
def startrail(
    checkpoints: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """The command line over a home with a model and a corpus."""
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    (models / "base").symlink_to(checkpoints("llama", None))
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    file = tmp_path / "sft.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (COMPLETION, TEXT)))

    def run(*words: str) -> str:
        return CliRunner().invoke(app, list(words), env={"COLUMNS": "300"}).output

    run("corpus", "add", str(file))
    return run


def test_a_corpus_makes_a_model_with_its_checkpoints(startrail: Callable[..., str], tmp_path: Path) -> None:
    said = startrail("finetune", "base", "sft", "--epochs", "4", "--batch-size", "1", "--checkpoints", "1")
    assert "parameters trained on 2 passages" in said
    assert "checkpoints base-sft-step-4" in said
    listed = startrail("model", "list")
    assert {"base-sft", "base-sft-step-4"} <= set(listed.split())
    shown = startrail("model", "show", "base-sft", "--groups", "1")
    assert "adamw state in optimizer.safetensors" in shown
    assert "8 steps" in shown
    training = json.loads((tmp_path / "home" / "models" / "base-sft" / "training.json").read_text())
    assert (training["corpus"], training["base"], training["steps"]) == ("sft", "base", 8)
    assert "exists already" in startrail("finetune", "base", "sft")


def test_without_peft_it_says_what_to_install(
    startrail: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    assert "pip install 'startrail[adapters]'" in startrail("finetune", "base", "sft").replace("\n", "")


def test_an_adapter_is_trained_on_a_base_in_half_precision_all_weights_are_not(
    startrail: Callable[..., str],
) -> None:
    said = startrail("finetune", "base", "sft", "--epochs", "1", "--dtype", "bfloat16", "--layers", "1")
    assert "parameters trained on 2 passages" in said
    refused = startrail("finetune", "base", "sft", "--name", "whole", "--whole", "--dtype", "bfloat16")
    assert "All weights cannot be trained in bfloat16" in refused
