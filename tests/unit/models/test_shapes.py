"""Models as people have them: every shape of a model directory is read to the same numbers, or refused with what to do.

Nothing that comes with a model is ever run: the hostile ones here would leave a file.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Gemma3Config, Gemma3ForConditionalGeneration

from app.errors import UserError
from app.models.card import read_card
from app.models.checkpoint import model_sha256
from app.models.load import load_model
from app.models.steps import TailPatch
from tests.support.adapters import IDS, adapter, logits


class Hostile:
    """What a pickle can hold: a call, made when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return (Path.touch, (self.file,))


@pytest.fixture
def plain(checkpoints: Callable[..., Path], tmp_path: Path) -> Path:
    """A plain checkpoint of the test's own, without an optimizer's state."""
    return Path(shutil.copytree(checkpoints("llama", None), tmp_path / "plain"))


def only_tokenizer(source: Path, out: Path) -> Path:
    out.mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, out / name)
    return out


def sharded(source: Path, out: Path) -> None:
    AutoModelForCausalLM.from_pretrained(source).save_pretrained(out, max_shard_size="20KB")
    assert len(list(out.glob("model-*.safetensors"))) > 2


def pickled(source: Path, out: Path) -> None:
    torch.save(load_file(source / "model.safetensors"), out / "pytorch_model.bin")


def pickled_in_shards(source: Path, out: Path) -> None:
    names = list(tensors := load_file(source / "model.safetensors"))
    halves = [names[:4], names[4:]]
    where: dict[str, str] = {}
    for number, half in enumerate(halves, 1):
        file = f"pytorch_model-0000{number}-of-00002.bin"
        torch.save({name: tensors[name] for name in half}, out / file)
        where |= dict.fromkeys(half, file)
    index = {"metadata": {}, "weight_map": where}
    (out / "pytorch_model.bin.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("write", [sharded, pickled, pickled_in_shards])
def test_weights_in_other_files_are_the_same_weights(
    plain: Path, tmp_path: Path, write: Callable[[Path, Path], None]
) -> None:
    out = only_tokenizer(plain, tmp_path / "other")
    write(plain, out)
    assert torch.equal(logits(out), logits(plain))
    assert model_sha256(out) != model_sha256(plain)


@pytest.mark.parametrize("kept", [torch.bfloat16, torch.float16])
def test_half_precision_weights_are_computed_in_the_type_that_is_asked(
    plain: Path, tmp_path: Path, kept: torch.dtype
) -> None:
    out = only_tokenizer(plain, tmp_path / "half")
    half = {name: value.to(kept) for name, value in load_file(plain / "model.safetensors").items()}
    save_file(half, out / "model.safetensors", metadata={"format": "pt"})
    loaded = load_model(out)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    named = dict(loaded.model.named_parameters())
    assert all(torch.equal(named[name], value.float()) for name, value in half.items() if name in named)
    assert load_model(out, dtype=torch.bfloat16).weights[0].module.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes", "fp8", "something new"])
def test_quantised_weights_are_refused_with_what_to_do(plain: Path, method: str) -> None:
    config = json.loads((plain / "config.json").read_text())
    (plain / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": method}}))
    with pytest.raises(UserError, match="quantised") as refused:
        load_model(plain)
    assert refused.value.field == "quantization_config"
    assert "dequantize" in str(refused.value.remedy)


def with_code(path: Path, proof: Path, **config: Any) -> None:
    """Modules beside the weights that leave a file as soon as they are imported."""
    for name in ("modeling_own", "configuration_own", "tokenization_own"):
        (path / f"{name}.py").write_text(f"import pathlib\npathlib.Path({str(proof)!r}).touch()\n")
    own = {
        "auto_map": {
            "AutoConfig": "configuration_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnModel",
        }
    }
    file = path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | own | config))


def test_code_that_comes_with_a_model_is_not_run_and_nobody_is_asked(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal, transformers asks “Do you wish to run the custom code?”, and a yes is quickly said."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    before = logits(plain)
    with_code(plain, tmp_path / "ran")
    assert torch.equal(logits(plain), before), "the architecture is one that transformers knows"
    with_code(plain, tmp_path / "ran", model_type="own")
    with pytest.raises(UserError, match="never run"):
        load_model(plain)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizers_code_is_not_run_either(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with_code(plain, tmp_path / "ran")
    (plain / "tokenizer.json").unlink()
    (plain / "vocab.txt").write_text("a\n")
    settings = {
        "tokenizer_class": "OwnTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_own.OwnTokenizer", None]},
    }
    (plain / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError):
        load_model(plain)
    assert not (tmp_path / "ran").exists()


def hostile_weights(path: Path, proof: Path) -> None:
    (path / "model.safetensors").unlink()
    torch.save({"model.norm.weight": Hostile(proof)}, path / "pytorch_model.bin")


def hostile_optimizer(path: Path, proof: Path) -> None:
    torch.save({"state": {}, "param_groups": Hostile(proof)}, path / "optimizer.pt")


def hostile_adapter(path: Path, proof: Path) -> None:
    adapter(path, path)
    (path / "adapter_model.safetensors").unlink()
    torch.save({"a": Hostile(proof)}, path / "adapter_model.bin")


@pytest.mark.parametrize("spoil", [hostile_weights, hostile_optimizer, hostile_adapter])
def test_a_pickle_that_asks_for_code_is_one_clear_error(
    plain: Path, tmp_path: Path, spoil: Callable[[Path, Path], None]
) -> None:
    spoil(plain, tmp_path / "ran")
    with pytest.raises(UserError):
        TailPatch(load_model(plain))
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_cut_short_is_one_clear_error(plain: Path) -> None:
    (plain / "model.safetensors").write_bytes((plain / "model.safetensors").read_bytes()[:500])
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(plain)


def test_of_a_checkpoint_that_also_sees_the_text_model_is_taken_and_it_is_said(
    plain: Path, tmp_path: Path
) -> None:
    sizes = json.loads((plain / "config.json").read_text())
    text = {name: sizes[name] for name in ("hidden_size", "intermediate_size", "vocab_size")}
    text |= {
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 96,
    }
    seeing = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {"image_size": 28, "patch_size": 14, **seeing}
    out = tmp_path / "gemma3"
    whole: Any = Gemma3ForConditionalGeneration(Gemma3Config(text_config=text, vision_config=vision)).eval()
    whole.save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(plain / name, out / name)
    assert torch.allclose(logits(out), whole(input_ids=IDS).logits, atol=1e-6)
    loaded = load_model(out)
    assert loaded.taken_as == ("the text model of a gemma3 checkpoint",)
    assert not [name for name, _ in loaded.model.named_parameters() if "vision" in name]
    assert read_card(out).facts["taken as"] == "the text model of a gemma3 checkpoint"


def test_a_trainers_checkpoint_has_its_tokenizer_above_it_and_its_arguments_are_not_read(
    plain: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    step = Path(shutil.copytree(plain, run / "checkpoint-24"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.move(step / name, run / name)
    (step / "trainer_state.json").write_text('{"global_step": 24}')
    torch.save(Hostile(tmp_path / "ran"), step / "training_args.bin")
    assert torch.equal(logits(step), logits(plain))
    assert not (tmp_path / "ran").exists()
