"""`startrail pretrain` refuses a name before the training, not when the model is to be put there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.store.corpora import PassageRecord, add_corpus
from tests.support.homes import filled_home

TINY = ("--hidden-size 16 --layers 1 --heads 2 --intermediate-size 16 --vocab-size 270 --max-length 16 --epochs 1"
        " --batch-size 4 --no-bfloat16")  # fmt: skip


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Path]:
    """Where models go, beside a store with a corpus of sixteen passages."""
    passages = [PassageRecord(str(n), f"Land {n} has a town called Town {n}.") for n in range(16)]
    with filled_home(tmp_path, lambda session: add_corpus(session, "towns", passages)) as home:
        yield home / "models"


def pretrain(*words: str) -> Result:
    return CliRunner().invoke(app, ["pretrain", "towns", *TINY.split(), *words])


def test_a_model_that_was_removed_can_be_trained_again(models: Path) -> None:
    """Its checkpoints' names lead nowhere then; they were in the way of the new ones, after the whole training."""
    first = pretrain("--name", "small", "--checkpoints", "1")
    assert first.exit_code == 0, first.output
    [step] = [path.name for path in models.iterdir() if "-step-" in path.name]
    shutil.rmtree(models / "small")
    again = pretrain("--name", "small", "--checkpoints", "1")
    assert again.exit_code == 0, again.output
    assert (models / step / "config.json").is_file()


def test_names_that_are_taken_or_lead_elsewhere_are_refused_first(models: Path) -> None:
    (models / "small-step-7").mkdir(parents=True)
    taken = pretrain("--name", "small", "--checkpoints", "1")
    assert taken.exit_code == 2
    assert "small-step-7" in taken.stderr
    for name in ("../small", "a/b"):
        refused = pretrain("--name", name)
        assert refused.exit_code == 2
        assert "is no name" in refused.stderr
    assert [path.name for path in models.iterdir()] == ["small-step-7"]
    assert not (models.parent / "small").exists()
