"""Tail-patch equals a real training step, and leaves the model as it was."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.optimization import Adafactor

from app.errors import UserError
from app.models.load import LoadedModel, load_model
from app.models.steps import TailPatch
from app.trackstar.encode import Query
from tests.support import tiny

QUERIES = [Query("The capital of", " France"), Query("The", " fox"), Query("The fox ran", ".")]


def resumed(loaded: LoadedModel, kind: str) -> tuple[Any, Any]:
    """A copy of the model with the torch optimizer that trained it, as it was saved."""
    model = copy.deepcopy(loaded.model).requires_grad_()
    optimizer = tiny.make_optimizer(model, kind)
    if kind == "adamw":
        optimizer.load_state_dict(torch.load(loaded.path / "optimizer.pt"))
        return model, optimizer
    saved = load_file(loaded.path / "optimizer.safetensors")
    for name, parameter in model.named_parameters():
        optimizer.state[parameter] = {
            key: saved[f"{name}.{key}"].clone() if f"{name}.{key}" in saved else None
            for key in ("row_var", "col_var", "variance")
        } | {"step": torch.tensor(24.0)}
    return model, optimizer


@torch.no_grad()
def probability(model: Any, loaded: LoadedModel, query: Query) -> float:
    example = loaded.texts.query(query)
    logp = model(input_ids=torch.tensor([example.ids])).logits[0].double().log_softmax(-1)
    return sum(logp[place - 1, example.ids[place]] for place in example.targets).exp().item()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("optimizer", ["adafactor", "adamw"])
def test_the_change_is_that_of_a_real_training_step(
    load: Callable[..., LoadedModel], kind: str, optimizer: str
) -> None:
    """torch's own optimizer, resumed on a copy, steps on each passage from the same state."""
    loaded = load(kind, optimizer)
    patch = TailPatch(loaded)
    got = patch.measure_all(QUERIES, tiny.TEXTS[:3])
    for text, changes in zip(tiny.TEXTS[:3], got, strict=True):
        model, real = resumed(loaded, optimizer)
        before = [probability(model, loaded, query) for query in QUERIES]
        tiny.train(model, real, [text], 1)
        for query, change, was in zip(QUERIES, changes, before, strict=True):
            want = 100 * (probability(model, loaded, query) - was)
            assert change == pytest.approx(want, rel=2e-3, abs=1e-6)
    assert max(abs(change) for changes in got for change in changes) > 1e-4


@pytest.mark.parametrize(
    "options",
    [{"scale_parameter": False}, {"scale_parameter": True, "beta1": 0.9, "weight_decay": 0.1}],
    ids=["trainer", "all"],
)
def test_transformers_adafactor_steps_by_its_own_formulas(tmp_path: Path, options: Any) -> None:
    """`Trainer(optim="adafactor")` saves it: other clipping, no bound on the rate, RMS scaling only if asked for."""
    path = tiny.save_model(tmp_path / "m", optimizer=None)
    model: Any = load_model(path).model.requires_grad_()
    real = Adafactor(model.parameters(), lr=1e-2, relative_step=False, **options)
    tiny.train(model, real, tiny.TEXTS, 8)
    model.save_pretrained(path)
    state = copy.deepcopy(real.state_dict())
    torch.save(state, path / "optimizer.pt")
    loaded = load_model(path)
    before = probability(model, loaded, QUERIES[1])
    got = TailPatch(loaded).measure(QUERIES[1], tiny.TEXTS[:1])
    tiny.train(model, real, tiny.TEXTS[:1], 1)
    assert got[0] == pytest.approx(100 * (probability(model, loaded, QUERIES[1]) - before), rel=2e-3)
    assert abs(got[0]) > before  # a hundredth of it, in points


def test_a_state_in_half_precision_steps_as_well(tmp_path: Path) -> None:
    """Models trained in bfloat16 have their moments in it; the step is computed in the weights' precision."""
    path = tiny.save_model(tmp_path / "m", optimizer="adamw")
    want = TailPatch(load_model(path)).measure(QUERIES[0], tiny.TEXTS[:2])
    state = torch.load(path / "optimizer.pt")
    for entry in state["state"].values():
        entry |= {key: entry[key].bfloat16() for key in ("exp_avg", "exp_avg_sq")}
    torch.save(state, path / "optimizer.pt")
    patch = TailPatch(load_model(path))
    assert {moment.dtype for moments in patch.update.moments.values() for moment in moments.values()} == {
        torch.float32
    }
    assert patch.measure(QUERIES[0], tiny.TEXTS[:2]) == pytest.approx(want, rel=0.05)


@pytest.mark.parametrize(("optimizer", "gone"), [("adamw", "exp_avg"), ("adafactor", "variance")])
def test_a_state_that_is_not_whole_names_the_parameter(tmp_path: Path, optimizer: str, gone: Any) -> None:
    """Enough for V, perhaps; not for a step."""
    path = tiny.save_model(tmp_path / "m", optimizer=optimizer)
    if optimizer == "adamw":
        state = torch.load(path / "optimizer.pt")
        for entry in state["state"].values():
            entry.pop(gone)
        torch.save(state, path / "optimizer.pt")
    else:
        tensors = load_file(path / "optimizer.safetensors")
        kept = {key: value for key, value in tensors.items() if not key.endswith(gone)}
        kept |= {key.replace(gone, "exp_avg"): value for key, value in tensors.items() if key.endswith(gone)}
        save_file(kept, path / "optimizer.safetensors", metadata={"learning_rate": "0.01"})
    with pytest.raises(UserError, match=f"has no {gone}: no step"):
        TailPatch(load_model(path))


def test_weights_and_state_are_bit_for_bit_what_they_were(load: Callable[..., LoadedModel]) -> None:
    """A trace may measure a tail-patch and then encode with the same model."""
    loaded = load("llama")
    patch = TailPatch(loaded)
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    moments = {name: {k: v.clone() for k, v in held.items()} for name, held in patch.update.moments.items()}
    first = patch.measure(QUERIES[0], tiny.TEXTS[:2])
    assert all(torch.equal(before[name], value) for name, value in loaded.model.state_dict().items())
    assert all(
        torch.equal(v, patch.update.moments[n][k]) for n, held in moments.items() for k, v in held.items()
    )
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert patch.measure(QUERIES[0], tiny.TEXTS[:2]) == first


def test_many_queries_at_once_equal_one_at_a_time(load: Callable[..., LoadedModel]) -> None:
    patch = TailPatch(load("llama"))
    together = patch.measure_all(QUERIES, tiny.TEXTS[:2])
    for at, query in enumerate(QUERIES):
        assert patch.measure(query, tiny.TEXTS[:2]) == pytest.approx([row[at] for row in together], abs=1e-6)


def test_learning_rate_optimizer_and_steps_are_told(load: Callable[..., LoadedModel]) -> None:
    patch = TailPatch(load("llama"))
    assert patch.settings["optimizer"] == "adafactor"
    assert patch.settings["learning_rate"] == pytest.approx(1e-2)
    assert patch.settings["steps"] == 1
    assert TailPatch(load("llama"), learning_rate=0.5).settings["learning_rate"] == 0.5


def test_another_rate_is_a_step_of_the_same_model_and_a_step_sent_elsewhere_of_none(
    load: Callable[..., LoadedModel],
) -> None:
    """Both measure what a step made with all of it measures, to the bit."""
    loaded = load("llama")
    usual, larger = TailPatch(loaded), TailPatch(loaded, learning_rate=0.5)
    wanted = larger.measure_all(QUERIES, tiny.TEXTS[:2])
    assert usual.at(0.5).measure_all(QUERIES, tiny.TEXTS[:2]) == wanted
    sent = pickle.loads(pickle.dumps(larger))
    assert not hasattr(sent, "model")
    assert sent.settings == larger.settings
    assert sent.on(loaded).measure_all(QUERIES, tiny.TEXTS[:2]) == wanted
    assert larger.on(loaded) is larger


def test_a_blank_passage_teaches_nothing(load: Callable[..., LoadedModel]) -> None:
    assert TailPatch(load("llama")).measure(QUERIES[0], ["", " "]) == [0.0, 0.0]


def test_a_schedule_that_ended_at_zero_asks_for_a_rate(tmp_path: Path) -> None:
    """Cosine and linear schedules often do; a step at rate zero would report a row of zeros."""
    path = tiny.save_model(tmp_path / "m")
    tensors = load_file(path / "optimizer.safetensors")
    save_file(
        tensors, path / "optimizer.safetensors", metadata={"optimizer": "adafactor", "learning_rate": "0.0"}
    )
    with pytest.raises(UserError, match="learning rate of zero"):
        TailPatch(load_model(path))


def test_without_a_state_there_is_no_step(checkpoints: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="no optimizer state"):
        TailPatch(load_model(checkpoints("llama", None)))
