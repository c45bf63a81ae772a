"""A pretraining run leaves a model directory that other tools can open, or nothing at all."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.demo.batches import length_batches
from app.demo.pretrain import PretrainConfig, PretrainReport, check_loss, pretrain
from app.errors import UserError
from app.models.marks import Marks
from tests.support.demo_texts import demo_world

pytestmark = pytest.mark.slow

SMALL = PretrainConfig(
    vocab_size=512,
    hidden_size=32,
    layers=2,
    heads=2,
    kv_heads=1,
    intermediate_size=48,
    epochs=6,
    batch_size=16,
    learning_rate=5e-2,
)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [passage["text"] for passage in demo_world().passages[:200]]


@pytest.fixture(scope="module")
def trained(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, PretrainReport, list[Any]]:
    """One small run for all the questions below: its directory, report and what the progress heard."""
    steps = []
    out = tmp_path_factory.mktemp("models") / "tiny"
    report = pretrain(texts, out, SMALL, progress=lambda *step: steps.append(step), checkpoints=2, half=True)
    return out, report, steps


def test_loss_falls_and_progress_hears_every_step(trained: tuple[Path, PretrainReport, list[Any]]) -> None:
    _, report, steps = trained
    assert report.final_loss < 0.8 * report.first_loss
    assert [step for step, *_ in steps] == list(range(1, report.steps + 1))
    assert all(total == report.steps for _, total, *_ in steps)


def test_learning_rate_ends_on_the_floor_not_on_zero(trained: tuple[Path, PretrainReport, list[Any]]) -> None:
    """Tail-patch takes one more step at the final rate; at zero it would measure nothing."""
    _, _, steps = trained
    assert steps[-1][4] == pytest.approx(SMALL.learning_rate * SMALL.final_learning_rate_fraction)


def test_directory_is_a_hugging_face_checkpoint(trained: tuple[Path, PretrainReport, list[Any]]) -> None:
    out, report, _ = trained
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    assert sum(parameter.numel() for parameter in model.parameters()) == report.parameters
    tokenizer = AutoTokenizer.from_pretrained(out)
    ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer("The capital of Ghana is").input_ids]])
    assert model(ids).logits.isfinite().all()


def test_tokenizer_round_trips_splits_digits_and_says_what_stands_around_a_text(
    trained: tuple[Path, PretrainReport, list[Any]],
) -> None:
    """Who builds the input adds BOS and EOS, once, as the tokenizer says; a text alone has neither."""
    out, _, _ = trained
    tokenizer = AutoTokenizer.from_pretrained(out)
    text = "São Tomé: 12 + 5 = 17 🎈\n"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert not {tokenizer.bos_token_id, tokenizer.eos_token_id} & set(ids)
    assert Marks.of(tokenizer) == Marks((tokenizer.bos_token_id,), (tokenizer.eos_token_id,))
    assert tokenizer.decode(ids) == text
    assert tokenizer.tokenize(" 12") == ["Ġ", "1", "2"]
    assert None not in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)


def test_optimizer_state_has_a_float32_row_and_column_for_every_matrix(
    trained: tuple[Path, PretrainReport, list[Any]],
) -> None:
    out, report, _ = trained
    model = AutoModelForCausalLM.from_pretrained(out)
    with safe_open(out / "optimizer.safetensors", "pt") as state:
        assert int(state.metadata()["step"]) == report.steps
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                rows, columns = state.get_tensor(f"{name}.row_var"), state.get_tensor(f"{name}.col_var")
                assert rows.shape == (parameter.shape[0], 1)
                assert columns.shape == (1, parameter.shape[1])
                assert rows.dtype == columns.dtype == torch.float32
                # Both factors average the same squares, so their means agree.
                torch.testing.assert_close(rows.mean(), columns.mean(), rtol=1e-3, atol=0)
            else:
                assert state.get_tensor(f"{name}.variance").shape == parameter.shape


def test_metadata_rebuilds_the_optimizer(trained: tuple[Path, PretrainReport, list[Any]]) -> None:
    """Tail-patch continues from here: state and settings must fit torch's own Adafactor."""
    out, _, _ = trained
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    with safe_open(out / "optimizer.safetensors", "pt") as state:
        said = state.metadata()
        optimizer = torch.optim.Adafactor(
            model.parameters(),
            lr=float(said["learning_rate"]),
            beta2_decay=float(said["beta2_decay"]),
            eps=(float(said["eps1"]), float(said["eps2"])),
            d=float(said["d"]),
            weight_decay=float(said["weight_decay"]),
        )
        for name, parameter in model.named_parameters():
            kinds = ("row_var", "col_var") if parameter.dim() > 1 else ("variance",)
            own = {kind: state.get_tensor(f"{name}.{kind}") for kind in kinds}
            unused = {kind: None for kind in ("row_var", "col_var", "variance") if kind not in own}
            optimizer.state[parameter] = {"step": torch.tensor(float(said["step"])), **own, **unused}
    before = model.lm_head.weight.detach().clone()
    ids = torch.tensor([[0, 30, 40, 50]])
    model(ids, labels=ids).loss.backward()
    optimizer.step()
    moved = (model.lm_head.weight - before).norm() / before.norm()
    assert 0 < moved < 0.01


def test_intermediate_checkpoints_have_the_same_form(trained: tuple[Path, PretrainReport, list[Any]]) -> None:
    out, report, _ = trained
    folders = sorted((out / "checkpoints").iterdir(), key=lambda folder: int(folder.name.split("-")[1]))
    assert [int(folder.name.split("-")[1]) for folder in folders] == [
        report.steps // 3,
        2 * report.steps // 3,
    ]
    for folder in folders:
        AutoModelForCausalLM.from_pretrained(folder)
        AutoTokenizer.from_pretrained(folder)
        assert (folder / "optimizer.safetensors").is_file()


def test_training_json_says_what_was_done(trained: tuple[Path, PretrainReport, list[Any]]) -> None:
    out, report, _ = trained
    told = json.loads((out / "training.json").read_text())
    assert told["config"]["vocab_size"] == 512
    assert told["steps"] == report.steps == told["loss_curve"][-1]["step"]
    assert len(told["corpus_sha256"]) == 64


def test_same_texts_and_seed_give_the_same_weights(
    trained: tuple[Path, PretrainReport, list[Any]], texts: list[str], tmp_path: Path
) -> None:
    out, _, _ = trained
    pretrain(texts, tmp_path / "again", SMALL, half=True)
    for file in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "again" / file).read_bytes() == (out / file).read_bytes()


def test_batches_hold_every_passage_once_and_little_padding() -> None:
    lengths = [5, 40, 6, 41, 7, 39, 5, 42]
    batches = length_batches(lengths, 4, torch.Generator().manual_seed(0))
    assert sorted(row for batch in batches for row in batch) == list(range(8))
    assert all(
        max(lengths[row] for row in batch) - min(lengths[row] for row in batch) <= 3 for batch in batches
    )


def test_a_broken_run_leaves_nothing_behind(texts: list[str], tmp_path: Path) -> None:
    def interrupt(step: Any, *_: Any) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(texts, tmp_path / "model", SMALL, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_never_overwritten(texts: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists already"):
        pretrain(texts, tmp_path, SMALL)


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no passage"):
        pretrain(["", "  "], tmp_path / "model", SMALL)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"heads": 7}, "heads"), ({"vocab_size": 100}, "vocab_size"), ({"epochs": 0}, "epochs")],
)
def test_settings_that_make_no_model_are_refused_by_name(wrong: Any, field: str) -> None:
    with pytest.raises(UserError) as refused:
        PretrainConfig(**wrong)
    assert refused.value.field == field
    assert refused.value.remedy


def test_a_diverging_run_says_so() -> None:
    """It must not end in a directory of NaN."""
    with pytest.raises(UserError, match=r"diverged: the loss of step 7"):
        check_loss(float("nan"), 7)
