"""Checkpoints on disk: what is attention and what MLP is found by structure, what is missing is named."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, MixtralConfig, MixtralForCausalLM, OPTConfig
from transformers.pytorch_utils import Conv1D

from app.errors import UserError
from app.models.capture import Capture
from app.models.checkpoint import count_parameters, model_sha256
from app.models.load import LoadedModel, load_model
from app.models.loss_head import LossHead
from app.models.weights import find_weights, group_of, layers_of, left_out
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from tests.support import tiny

PLAIN = EncodingConfig(groups=1, projection_dim=4, second_moments="none", hessian="none", unit_norm=False)


@pytest.mark.parametrize(
    ("kind", "attention", "mlp"),
    [
        ("llama", {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}),
        ("olmo", {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}),
        ("gpt2", {"c_attn", "attn.c_proj"}, {"c_fc", "mlp.c_proj"}),
        ("neox", {"query_key_value", "dense"}, {"dense_h_to_4h", "dense_4h_to_h"}),
    ],
)
def test_attention_and_mlp_are_found_in_every_layer(
    load: Callable[..., LoadedModel], kind: str, attention: Any, mlp: Any
) -> None:
    """No embeddings, norms, biases or LM head; fused and transposed weights included."""
    weights = load(kind).weights
    for wanted, names in (("attention", attention), ("mlp", mlp)):
        found = {(w.layer, w.name) for w in weights if w.kind == wanted}
        assert len(found) == 2 * len(names)
        assert all(any(f".{name}.weight" in stored for name in names) for _, stored in found)
    shapes = dict(load(kind).model.named_parameters())
    assert all(tuple(shapes[w.name].shape) == w.stored_shape for w in weights)
    assert {w.transposed for w in weights} == {kind == "gpt2"}


def test_mlp_weights_that_stand_bare_in_the_block_are_found() -> None:
    """OPT's fc1 and fc2 have no module of their own."""
    model = AutoModelForCausalLM.from_config(
        OPTConfig(
            hidden_size=16,
            ffn_dim=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            vocab_size=50,
            word_embed_proj_dim=16,
        )
    )
    kinds = {w.name.split(".")[-2]: w.kind for w in find_weights(model)}
    assert kinds["fc1"] == kinds["fc2"] == "mlp"
    assert kinds["q_proj"] == kinds["out_proj"] == "attention"


class Strange(nn.Module):
    """Blocks whose parts have names that say nothing."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        blocks = [nn.ModuleDict({name: nn.Linear(3, 4) for name in names}) for _ in range(2)]
        self.blocks = nn.ModuleList(blocks)


@pytest.mark.parametrize("kind", ["llama", "gemma", "neo"])
def test_a_soft_cap_that_moves_logits_by_a_thousandth_is_not_passed_over(
    load: Callable[..., LoadedModel], kind: str
) -> None:
    """Gemma 2 caps at 30: small logits hardly feel it, and gradients were off by 5e-5."""
    loaded = load(kind)
    model = copy.deepcopy(loaded.model)
    if kind == "gemma":
        model.config.final_logit_softcapping = 1000.0
    assert LossHead(model, "cross_entropy").is_linear == (kind != "gemma")


def test_unknown_weights_are_named_and_can_be_told() -> None:
    with pytest.raises(UserError, match=r"blocks\.0\.alpha\.weight, blocks\.0\.beta\.weight") as caught:
        find_weights(Strange("alpha", "beta"))
    assert "--weights" in caught.value.remedy
    told = find_weights(
        Strange("alpha", "beta", "gamma"), {"alpha": "attention", "beta": "mlp", "gamma": "skip"}
    )
    assert [w.kind for w in told] == ["attention", "mlp"] * 2
    with pytest.raises(UserError, match="No mlp weights"):
        find_weights(Strange("attn"))
    with pytest.raises(UserError, match="'left' is no kind"):
        find_weights(Strange("alpha"), {"alpha": "left"})
    with pytest.raises(UserError, match="no regular expression"):
        find_weights(Strange("alpha"), {"(": "mlp"})


def test_a_model_without_blocks_is_refused_with_the_modules_it_has() -> None:
    model = nn.Module()
    model.head = nn.Linear(2, 2)
    with pytest.raises(UserError, match=r"head \(Linear\)"):
        find_weights(model)


class Flat(nn.Module):
    """Hands its linear weight the tokens of all examples in one row, as OPT's MLP does."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.flatten(0, 1)).view(*x.shape[:2], -1)


class Turned(Flat):
    """The same with the tokens of all examples by their place: those of one example do not stand together."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.transpose(0, 1).flatten(0, 1)).view(x.shape[1], x.shape[0], -1).transpose(0, 1)


class Some(Flat):
    """Hands it only some of the tokens, as experts are handed theirs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat(
            [self.inner(x[:, :1]), x.new_zeros(len(x), x.shape[1] - 1, self.inner.out_features)], 1
        )


def with_other(loaded: LoadedModel, wrap: type[Flat]) -> LoadedModel:
    """The model with its first layer's up projection handed its tokens otherwise."""
    model = copy.deepcopy(loaded.model)
    mlp = model.model.layers[0].mlp
    mlp.up_proj = wrap(mlp.up_proj)
    return replace(loaded, model=model, weights=find_weights(model))


@pytest.mark.parametrize("wrap", [Turned, Some])
def test_weights_that_do_not_see_whole_examples_are_refused_by_name(
    load: Callable[..., LoadedModel], wrap: type[Flat]
) -> None:
    """A weight that sees loose tokens, or only some, has no per-example gradient here."""
    with pytest.raises(
        UserError, match=r"layers\.0\.mlp\.up_proj\.inner\.weight is not run once on every token"
    ):
        Capture(with_other(load("llama"), wrap))


def test_tokens_in_one_row_are_told_apart_again(load: Callable[..., LoadedModel]) -> None:
    """OPT flattens its tokens before its MLP; example after example, so nothing is lost."""
    loaded = load("llama")
    examples = loaded.texts.passages(tiny.TEXTS[:4])
    plain, flat = (
        Encoder(each, None, PLAIN, None).gradients(examples) for each in (loaded, with_other(loaded, Flat))
    )
    # The projection is drawn by a weight's name: attention's, and all others of the MLP, are the same.
    assert plain.shape == flat.shape
    assert torch.allclose(plain[:, : PLAIN.block_size], flat[:, : PLAIN.block_size], rtol=1e-4, atol=1e-5)


def mixtral(*, layers: int) -> MixtralForCausalLM:
    """Experts in one tensor, chosen by a router."""
    config = MixtralConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_local_experts=3,
    )
    return MixtralForCausalLM(config)


def test_experts_in_one_tensor_are_not_left_out_in_silence() -> None:
    """Mixtral, Qwen-MoE, OLMoE and GPT-OSS: only attention would be traced, and nobody would know."""
    model = mixtral(layers=1)
    with pytest.raises(UserError, match=r"mlp\.experts\.\w+ holds several matrices in one tensor") as refused:
        find_weights(model)
    assert "experts=skip" in str(refused.value.remedy)


def test_what_is_not_traced_is_named(load: Callable[..., LoadedModel]) -> None:
    """The router of a mixture is a plain parameter, no linear module: it was left out and nothing said so."""
    model = mixtral(layers=2)
    assert left_out(model, find_weights(model, {"experts": "skip"})) == [
        "model.layers.N.mlp.gate.weight",
        "model.layers.N.mlp.experts.gate_up_proj",
        "model.layers.N.mlp.experts.down_proj",
    ]
    assert load("llama").left_out == load("gpt2").left_out == []


def test_groups_are_contiguous_and_cover_all_layers(load: Callable[..., LoadedModel]) -> None:
    weight = load("llama").weights[0]
    layers = [group_of(type(weight)(**{**weight.__dict__, "layer": n}), range(5), 2) for n in range(5)]
    assert layers == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("tokenizer.json", "has no tokenizer"),
        ("config.json", "has no config.json"),
        ("model.safetensors", "cannot be loaded|holds no weights"),
    ],
)
def test_an_incomplete_checkpoint_says_what_is_missing(tmp_path: Path, remove: Any, message: str) -> None:
    path = tiny.save_model(tmp_path / "m")
    (path / remove).unlink()
    with pytest.raises(UserError, match=message) as caught:
        load_model(path)
    assert caught.value.remedy


def test_broken_files_give_one_clear_error(tmp_path: Path) -> None:
    path = tiny.save_model(tmp_path / "m")
    (path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="tokenizer in"):
        load_model(path)
    path = tiny.save_model(tmp_path / "n")
    (path / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(path)
    (path / "config.json").write_text('{"model_type": "nonesuch"}')
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(path)


def test_a_checkpoint_that_lacks_a_weight_is_refused_by_its_name(tmp_path: Path) -> None:
    """It would be drawn at random at each loading: no two encodings would compare."""
    path = tiny.save_model(tmp_path / "m")
    tensors = load_file(path / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"has no model\.layers\.1\.mlp\.up_proj\.weight, which its config"):
        load_model(path)


def test_devices_that_are_not_there_are_refused(checkpoints: Callable[..., Path]) -> None:
    """Neither what torch does not know nor what this machine or this build of torch does not have."""
    with pytest.raises(UserError, match="is no device"):
        load_model(checkpoints("llama"), device="abacus")
    for kind in ("meta", "xpu"):
        with pytest.raises(UserError, match=f"'{kind}' cannot be computed on"):
            load_model(checkpoints("llama"), device=kind)


def test_the_hash_is_of_weights_and_tokenizer_not_of_the_optimizer(tmp_path: Path) -> None:
    path = tiny.save_model(tmp_path / "m")
    before = model_sha256(path)
    (path / "optimizer.safetensors").write_bytes(b"other")
    (path / "training.json").write_text("{}")
    assert model_sha256(path) == before
    (path / "tokenizer.json").write_text((path / "tokenizer.json").read_text() + "\n")
    assert model_sha256(path) != before


def test_parameters_are_counted_without_loading(
    checkpoints: Callable[..., Path], load: Callable[..., LoadedModel]
) -> None:
    loaded = load("gpt2")
    assert count_parameters(loaded.path) == sum(p.numel() for p in loaded.model.parameters())
    assert isinstance(loaded.weights[0].module, Conv1D)


def test_an_adapter_on_the_last_layers_leaves_no_group_empty(load: Callable[..., LoadedModel]) -> None:
    """Half of every encoding would be zeros where an adapter stands on the upper half of the layers."""
    weight = load("llama").weights[0]
    adapted = [replace(weight, layer=layer) for layer in (2, 3, 4, 5)]
    assert [group_of(each, layers_of(adapted), 2) for each in adapted] == [0, 0, 1, 1]
