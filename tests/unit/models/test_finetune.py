"""A fine-tuning keeps what tracing needs: a model that opens, its moments by name, the order of its examples."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from app.errors import UserError
from app.models import finetune as module
from app.models.finetune import FinetuneConfig, FinetuneReport, finetune
from app.models.load import load_model
from app.models.optimizer_state import read_optimizer
from app.models.steps import TailPatch
from app.models.trainee import Trainee
from app.models.updating import logp_of
from tests.support.lessons import COMPLETION, PAIR, TEXT, lesson

SHORT = FinetuneConfig(rank=2, epochs=4, batch_size=2, learning_rate=1e-2)
ABOUT = {"corpus": "sft", "base": "tiny"}
Records = list[dict[str, Any]]
RECORDS: Records = [COMPLETION, TEXT, {"prompt": "Two and three", "completion": " make five."}, {"text": " "}]


class StoppedError(Exception):
    """Somebody pulled the plug."""


def train(
    base: Path, out: Path, records: Records, config: FinetuneConfig = SHORT, **how: Any
) -> FinetuneReport:
    loaded = load_model(base)
    trainee = Trainee(loaded, config.rank, batch_tokens=48)
    examples = loaded.texts.passages([lesson(record) for record in records])
    return finetune(trainee, examples, out, config, about=ABOUT, **how)


@pytest.mark.parametrize(("kind", "rank"), [("llama", 2), ("gpt2", 2), ("llama", 0)])
def test_what_was_trained_opens_with_its_moments_and_steps_go_on_from_there(
    checkpoints: Callable[..., Path], tmp_path: Path, kind: str, rank: int
) -> None:
    config = FinetuneConfig(rank=rank, epochs=4, batch_size=2, learning_rate=1e-2 if rank else 1e-3)
    report = train(checkpoints(kind, None), tmp_path / "tuned", RECORDS, config)
    assert (report.steps, report.untaught) == (8, 1)
    assert report.final_loss < report.first_loss
    tuned = load_model(tmp_path / "tuned")
    state = read_optimizer(tuned.path, tuned.model)
    assert (state.optimizer, state.step) == ("adamw", 8)
    assert {weight.name for weight in tuned.weights} <= set(state.entries)
    patch = TailPatch(tuned)
    assert patch.rate == pytest.approx(config.learning_rate * module.FLOOR)
    before = load_model(checkpoints(kind, None))
    asked = [each.texts.passages([lesson(COMPLETION)]) for each in (before, tuned)]
    assert logp_of(tuned, asked[1])[0] > logp_of(before, asked[0])[0] + 0.5


def test_the_order_says_which_rows_each_step_saw(checkpoints: Callable[..., Path], tmp_path: Path) -> None:
    train(checkpoints("llama", None), tmp_path / "tuned", RECORDS, checkpoints=1)
    lines = [json.loads(line) for line in (tmp_path / "tuned" / "order.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 9))
    for epoch in range(4):
        assert sorted(lines[2 * epoch]["rows"] + lines[2 * epoch + 1]["rows"]) == [0, 1, 2]
    kept = tmp_path / "tuned" / "checkpoints" / "step-4"
    assert read_optimizer(kept, load_model(kept).model).step == 4
    assert len((kept / "order.jsonl").read_text().splitlines()) == 4


def test_a_stopped_training_goes_on_to_the_same_weights(
    checkpoints: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAVED_EVERY", -1.0)
    base, seen = checkpoints("llama", None), []
    train(base, tmp_path / "whole", RECORDS, checkpoints=1)

    def stop(done: int, total: int, loss: float) -> None:
        seen.append(done)
        if len(seen) == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(base, tmp_path / "stopped", RECORDS, checkpoints=1, progress=stop)
    assert not (tmp_path / "stopped").exists()
    train(base, tmp_path / "stopped", RECORDS, checkpoints=1, progress=stop)
    assert seen == list(range(1, 9))
    for file in (
        "adapter_model.safetensors",
        "optimizer.safetensors",
        "checkpoints/step-4/optimizer.safetensors",
    ):
        one, other = (load_file(tmp_path / name / file) for name in ("stopped", "whole"))
        assert all(torch.equal(one[name], other[name]) for name in one | other)
    assert not list(tmp_path.glob(".*"))


def test_preference_pairs_are_trained_by_dpo(checkpoints: Callable[..., Path], tmp_path: Path) -> None:
    """log 2 is the loss of a model that is still what it was; then the chosen answer gains on the rejected one."""
    report = train(checkpoints("llama", None), tmp_path / "tuned", [PAIR, PAIR])
    assert report.first_loss == pytest.approx(0.6931, abs=1e-4)
    assert report.final_loss < 0.68


def test_the_gradient_of_a_batch_is_its_mean_whatever_fits_in_memory(
    checkpoints: Callable[..., Path],
) -> None:
    made = []
    for batch_tokens in (1, 4096):
        trainee = Trainee(load_model(checkpoints("llama", None)), 2, batch_tokens=batch_tokens)
        examples = trainee.loaded.texts.passages([lesson(record) for record in RECORDS[:3]])
        loss = trainee.backward(examples, [0.0] * 3)
        made.append(
            torch.cat([value.grad.flatten() for value in trainee.trained.values() if value.grad is not None])
        )
        by_hand = -sum(logp_of(trainee.loaded, examples)) / sum(len(each.targets) for each in examples)
        assert loss == pytest.approx(by_hand, rel=1e-5)
    assert torch.allclose(made[0], made[1], rtol=1e-3, atol=1e-6)


def test_what_cannot_be_trained_is_refused(checkpoints: Callable[..., Path], tmp_path: Path) -> None:
    base = checkpoints("llama", None)
    with pytest.raises(UserError, match="preference pairs and others"):
        train(base, tmp_path / "tuned", [PAIR, TEXT])
    with pytest.raises(UserError, match="anything to learn"):
        train(base, tmp_path / "tuned", [{"text": " "}])
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="exists already"):
        train(base, tmp_path / "there", [TEXT])
    train(base, tmp_path / "tuned", [TEXT])
    with pytest.raises(UserError, match="has an adapter already"):
        train(tmp_path / "tuned", tmp_path / "again", [TEXT])


def test_lora_on_the_last_blocks_leaves_the_others_and_goes_on_from_there(
    checkpoints: Callable[..., Path], tmp_path: Path
) -> None:
    """A large model on a small machine: what lies below the adapted blocks costs no backward pass."""
    loaded = load_model(checkpoints("llama", None))
    trainee = Trainee(loaded, 2, layers=1)
    finetune(
        trainee,
        loaded.texts.passages([lesson(TEXT)]),
        tmp_path / "tuned",
        replace(SHORT, layers=1),
        about=ABOUT,
    )
    tuned = load_model(tmp_path / "tuned")
    assert {weight.layer for weight in tuned.weights} == {loaded.layers - 1}
    assert {weight.name for weight in tuned.weights} == set(read_optimizer(tuned.path, tuned.model).entries)


def test_more_blocks_than_there_are_are_refused(checkpoints: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="The model has 2 blocks"):
        Trainee(load_model(checkpoints("llama", None)), 2, layers=3)
