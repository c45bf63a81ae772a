"""V comes out of the optimizer's file for the right weight, the right way round, and in enough precision."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from app.errors import UserError
from app.models.load import LoadedModel, load_model
from app.models.optimizer_state import read_optimizer
from app.trackstar.config import EncodingConfig
from app.trackstar.estimate import _Squares
from app.trackstar.fit import Fit, load_fit, save_fit
from app.trackstar.moments import Exact, Factored, Moments, load_moments
from tests.support import tiny


def trained(kind: str, groups: Sequence[Callable[[str, Any], bool]]) -> tuple[Any, torch.optim.Optimizer]:
    """A model and an AdamW whose groups hold the parameters that `groups` picks by name and shape."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(tiny.configuration(kind), dtype=torch.float32)
    named = list(model.named_parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for n, p in named if rule(n, p)]} for rule in groups], lr=1e-3
    )
    tiny.train(model, optimizer, tiny.TEXTS, 2)
    return model, optimizer


def saved(path: Path, model: Any, optimizer: Any) -> LoadedModel:
    model.save_pretrained(path)
    tiny.tokenizer().save_pretrained(path)
    torch.save(optimizer.state_dict(), path / "optimizer.pt")
    return load_model(path)


TRAINER = [lambda n, p: p.dim() > 1, lambda n, p: p.dim() == 1]
BY_BIAS = [lambda n, p: "bias" not in n, lambda n, p: "bias" in n]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "neox"])
@pytest.mark.parametrize("groups", [TRAINER, BY_BIAS, [lambda n, p: True]], ids=["trainer", "by-bias", "one"])
def test_states_of_decay_and_no_decay_groups_find_their_parameters(
    tmp_path: Path, kind: str, groups: Sequence[Callable[[str, Any], bool]]
) -> None:
    """In optimizer.pt parameters are only numbers, counted group by group: not the model's order."""
    if kind == "llama" and groups is BY_BIAS:
        groups = TRAINER  # a Llama has no biases
    model, optimizer = trained(kind, groups)
    loaded = saved(tmp_path / "m", model, optimizer)
    state = {name: optimizer.state[p]["exp_avg_sq"] for name, p in model.named_parameters()}
    moments = load_moments(loaded, "exact").values
    for weight in loaded.weights:
        stored = state[weight.name]
        value = moments[weight.name]
        assert isinstance(value, Exact)
        assert torch.equal(value.value, stored.T if weight.transposed else stored)


def test_transposed_weights_have_their_factors_turned(load: Callable[..., LoadedModel]) -> None:
    """A square Conv1D weight fits either way round: only the values tell."""
    loaded = load("gpt2", "adafactor")
    state = load_file(loaded.path / "optimizer.safetensors")
    for weight in loaded.weights:
        value = load_moments(loaded, "factored").values[weight.name]
        assert isinstance(value, Factored)
        assert torch.equal(value.row, state[f"{weight.name}.col_var"].flatten())
        assert torch.equal(value.col, state[f"{weight.name}.row_var"].flatten())


def test_adafactors_factors_are_its_second_moment_exactly(load: Callable[..., LoadedModel]) -> None:
    """V_ij = r_i c_j / mean(r), as the optimizer itself divides by."""
    loaded = load("llama", "adafactor")
    state = load_file(loaded.path / "optimizer.safetensors")
    weight = loaded.weights[0]
    row, col = (state[f"{weight.name}.{key}"].double() for key in ("row_var", "col_var"))
    want = (row @ col) / row.mean()
    got = load_moments(loaded, "factored").values[weight.name].inverse_root() ** -2
    assert torch.allclose(got, want, rtol=1e-6, atol=0)


def test_transformers_own_adafactor_is_read_too(tmp_path: Path) -> None:
    """`Trainer(optim="adafactor")` saves row and column factors under other names, without the empty axis."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(tiny.configuration("llama"), dtype=torch.float32)
    optimizer = tiny.make_optimizer(model, "adafactor")
    tiny.train(model, optimizer, tiny.TEXTS, 2)
    renamed = {"row_var": "exp_avg_sq_row", "col_var": "exp_avg_sq_col", "variance": "exp_avg_sq"}
    saved_state = copy.deepcopy(optimizer.state_dict())
    for entry in saved_state["state"].values():
        for old, new in renamed.items():
            if entry.get(old) is not None:
                entry[new] = (
                    entry[old].squeeze(-1 if old == "row_var" else -2) if old != "variance" else entry[old]
                )
            entry.pop(old, None)
    model.save_pretrained(tmp_path / "m")
    tiny.tokenizer().save_pretrained(tmp_path / "m")
    torch.save(saved_state, tmp_path / "m" / "optimizer.pt")
    loaded = load_model(tmp_path / "m")
    values = load_moments(loaded, "factored").values
    first = dict(model.named_parameters())[loaded.weights[0].name]
    assert torch.equal(values[loaded.weights[0].name].row, optimizer.state[first]["row_var"].flatten())


def test_a_state_of_other_shapes_names_the_parameter(
    tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    model, optimizer = trained("llama", TRAINER)
    path = tmp_path / "m"
    loaded = saved(path, model, optimizer)
    state = torch.load(path / "optimizer.pt")
    wrong = state["param_groups"][0]["params"][3]
    state["state"][wrong]["exp_avg_sq"] = torch.ones(5, 7)
    torch.save(state, path / "optimizer.pt")
    name = [n for n, p in loaded.model.named_parameters() if p.dim() > 1][3]
    with pytest.raises(UserError, match=r"has shape \(5, 7\)") as caught:
        load_moments(loaded, "factored")
    assert caught.value.field == name
    assert caught.value.file.endswith("optimizer.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, n: t.pop(f"{n}.row_var"), "no second moment"),
        (lambda t, n: t.update({f"{n}.row_var": torch.zeros_like(t[f"{n}.row_var"])}), ""),
        (lambda t, n: t.update({f"{n}.row_var": t[f"{n}.row_var"] * float("nan")}), "not a number"),
        (lambda t, n: t.update({f"{n}.row_var": -t[f"{n}.row_var"]}), "negative"),
        (lambda t, n: t.update({f"{n}.row_var": torch.ones(3, 1)}), "has shape"),
        (lambda t, n: t.update({"other.weight.row_var": torch.ones(3, 1)}), "does not have"),
    ],
)
def test_a_damaged_state_names_the_parameter(tmp_path: Path, change: Any, message: str) -> None:
    path = tiny.save_model(tmp_path / "m")
    loaded = load_model(path)
    name = loaded.weights[0].name
    tensors = load_file(path / "optimizer.safetensors")
    change(tensors, name)
    if not message:
        tensors[f"{name}.col_var"] *= 0
        message = "zero throughout"
    save_file(tensors, path / "optimizer.safetensors")
    with pytest.raises(UserError, match=message) as caught:
        load_moments(loaded, "factored")
    assert caught.value.field in (name, "other.weight")


@pytest.mark.parametrize("file", ["optimizer.safetensors", "optimizer.pt"])
def test_a_state_that_is_no_state_is_refused(tmp_path: Path, file: Any) -> None:
    path = tiny.save_model(tmp_path / "m", optimizer=None)
    (path / file).write_bytes(b"not a state")
    with pytest.raises(UserError) as caught:
        read_optimizer(path, load_model(path).model)
    assert caught.value.file.endswith(file)


@pytest.mark.parametrize(
    "saved",
    [
        [1, 2],
        {"param_groups": 3, "state": {}},
        {"param_groups": [{}], "state": {}},
        {"param_groups": [{"params": [0, 1]}], "state": 3},
        {"param_groups": [{"params": [0, 1]}], "state": {0: 1.0}},
        {"param_groups": [{"params": [0, 1], "param_names": ["x"]}], "state": {}},
    ],
)
def test_a_file_that_torch_reads_and_is_no_state_is_refused(
    tmp_path: Path, load: Callable[..., LoadedModel], saved: Any
) -> None:
    torch.save(saved, tmp_path / "optimizer.pt")
    with pytest.raises(UserError, match=r"no optimizer state|counts 2 parameters") as caught:
        read_optimizer(tmp_path, load("llama").model)
    assert caught.value.file.endswith("optimizer.pt")


def test_metadata_that_is_no_number_is_refused(tmp_path: Path, load: Callable[..., LoadedModel]) -> None:
    tensors = load_file(load("llama").path / "optimizer.safetensors")
    for name in ("step", "learning_rate"):
        save_file(tensors, tmp_path / "optimizer.safetensors", metadata={name: "many"})
        with pytest.raises(UserError, match=r"metadata cannot be read: .*many"):
            read_optimizer(tmp_path, load("llama").model)


def test_without_a_state_exactness_cannot_be_had(checkpoints: Callable[..., Path]) -> None:
    loaded = load_model(checkpoints("llama", None))
    with pytest.raises(UserError, match="no optimizer state"):
        load_moments(loaded, "factored")


@pytest.mark.parametrize("tokens", [3, 40])
def test_squares_are_the_same_with_the_gradients_and_without_them(
    load: Callable[..., LoadedModel], tokens: int
) -> None:
    """Of few tokens the sums come from products of tokens with tokens, of many from each example's own gradient."""
    loaded = load("llama")
    sums = _Squares(loaded.weights, loaded.device)
    weight = loaded.weights[0]
    draw = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, tokens, weight.in_features, generator=draw)
    outputs = torch.randn(2, tokens, weight.out_features, generator=draw)
    sums.backward(0, inputs, outputs)
    squares = torch.bmm(outputs.double().mT, inputs.double()).square().sum(0)
    assert torch.allclose(sums.rows[0], squares.mean(1), rtol=1e-5)
    assert torch.allclose(sums.cols[0], squares.mean(0), rtol=1e-5)


def test_a_dead_row_does_not_weigh_infinitely() -> None:
    """A unit that never got a gradient has r = 0; 1/√0 would drown everything else."""
    v = Factored(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]))
    assert v.inverse_root().max() < 1e5
    assert Exact(torch.tensor([[0.0, 1.0]])).inverse_root().max() < 1e9


def test_moments_too_small_for_float16_survive_the_index_file(
    tmp_path: Path, load: Callable[..., LoadedModel]
) -> None:
    """Nine tenths of a real model's second moments lie below float16's smallest number."""
    loaded = load("llama")
    moments = load_moments(loaded, "factored")
    assert moments is not None
    small = Moments({n: Factored(v.row * 1e-9, v.col * 1e-9) for n, v in moments.values.items()}, "test")
    save_fit(Fit(small, None, 1.0), tmp_path / "f.safetensors")
    back = load_fit(
        tmp_path / "f.safetensors", loaded, EncodingConfig(hessian="none"), "test", None, 1.0
    ).moments
    assert back.sha256 == small.sha256
    assert all((v.row > 0).any() for v in back.values.values())
