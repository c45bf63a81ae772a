"""LoRA adapters: never left out, their own matrices or merged, with an optimizer's state of their own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.errors import UserError
from app.models.load import load_model
from app.models.optimizer_state import read_optimizer
from app.models.steps import TailPatch
from app.models.text import Query
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from tests.support import reference, tiny
from tests.support.adapters import IDS, adapter, logits

PLAIN = EncodingConfig(groups=1, projection_dim=4, second_moments="none", hessian="none", unit_norm=False)


@pytest.fixture
def plain(checkpoints: Callable[..., Path], tmp_path: Path) -> Path:
    """A plain checkpoint of the test's own, without an optimizer's state."""
    return Path(shutil.copytree(checkpoints("llama", None), tmp_path / "plain"))


@pytest.mark.parametrize("beside", [True, False])
def test_an_adapter_is_never_left_out(plain: Path, tmp_path: Path, beside: bool) -> None:
    """transformers passes over one beside its base without a word where peft is missing."""
    bare = logits(plain)
    out = plain if beside else tmp_path / "adapter"
    made = adapter(plain, out)
    wanted = made(input_ids=IDS).logits
    assert (wanted - bare).abs().max() > 1e-2
    for way in ("own", "merged"):
        assert torch.allclose(logits(out, adapter=way), wanted, atol=1e-5)
    loaded = load_model(out)
    assert loaded.taken_as == (
        f"a LORA adapter of rank 3 on {plain.name}",
        "gradients of the adapter's own matrices A and B",
    )
    assert len(loaded.weights) == 2 * 3 * 2  # layers, modules, A and B
    assert len(load_model(out, adapter="merged").weights) == 2 * 7


@pytest.mark.parametrize("way", ["own", "merged"])
@pytest.mark.parametrize("targets", [["q_proj", "v_proj", "up_proj"], ["q_proj"]])
def test_an_adapters_encodings_are_those_of_brute_force(
    plain: Path, tmp_path: Path, way: str, targets: list[str]
) -> None:
    """Also where it stands on attention alone, and half of the blocks hold nothing."""
    adapter(plain, tmp_path / "a", targets=targets)
    loaded = load_model(tmp_path / "a", adapter=way, dtype=torch.float64)
    examples = loaded.texts.passages(tiny.TEXTS)
    made = Encoder(loaded, None, PLAIN, None).gradients(examples)
    wanted = reference.projected(loaded, examples, PLAIN, None)
    assert ((made - wanted).norm(dim=1) / wanted.norm(dim=1)).max() < 1e-5


def test_an_adapters_optimizer_state_is_its_own_and_a_step_changes_nothing_else(
    plain: Path, tmp_path: Path
) -> None:
    """Trainer counts only what it trained: the first of its numbers is the first of A, not the embedding."""
    adapter(plain, tmp_path / "a")
    loaded = load_model(tmp_path / "a")
    state = read_optimizer(tmp_path / "a", loaded.model)
    assert set(state.entries) == {weight.name for weight in loaded.weights}
    patch = TailPatch(loaded)
    assert set(patch.update.moments) == {weight.name for weight in loaded.weights}
    moved = patch.measure(Query("The fox", " ran"), ["The fox ran.", "Copper conducts electricity."])
    assert moved[0] > 0
    (tmp_path / "a" / "optimizer.pt").unlink()
    estimated = TailPatch(load_model(tmp_path / "a"), sample=tiny.TEXTS)
    assert set(estimated.update.moments) == {weight.name for weight in loaded.weights}


def test_an_adapter_without_peft_or_without_its_base_is_refused(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter(plain, tmp_path / "a")
    with monkeypatch.context() as without:
        without.setitem(__import__("sys").modules, "peft", None)
        with pytest.raises(UserError, match="peft") as refused:
            load_model(tmp_path / "a")
        assert "startrail[adapters]" in str(refused.value.remedy)
    file = tmp_path / "a" / "adapter_config.json"
    file.write_text(
        json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": "someone/elsewhere"})
    )
    with pytest.raises(UserError, match="someone/elsewhere, which is not on this machine"):
        load_model(tmp_path / "a")


def test_an_adapter_on_a_model_in_half_precision_is_encoded_as_in_full(plain: Path, tmp_path: Path) -> None:
    """peft keeps its matrices in float32 whatever the model is in, and then no gradient could be taken of them."""
    adapter(plain, tmp_path / "a")
    made = []
    for dtype in (torch.float32, torch.bfloat16):
        loaded = load_model(tmp_path / "a", dtype=dtype)
        made.append(
            Encoder(loaded, None, PLAIN, None).gradients(loaded.texts.passages(tiny.TEXTS[:3])).float()
        )
    assert torch.cosine_similarity(made[0], made[1]).min() > 0.99


def test_an_adapter_that_breaks_off_or_asks_for_code_is_refused(plain: Path, tmp_path: Path) -> None:
    """A pickle runs what it likes as it is read. Nothing of it is run, and the message says what to give instead."""
    out, ran = tmp_path / "a", tmp_path / "ran"
    adapter(plain, out, train=False)
    tensors = out / "adapter_model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        load_model(out)

    class Command:
        def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
            return ran.touch, ()

    tensors.unlink()
    torch.save(Command(), out / "adapter_model.bin")
    with pytest.raises(UserError, match="asks for code to be run") as refused:
        load_model(out)
    assert refused.value.remedy == "Give it as safetensors."
    assert not ran.exists()
    with pytest.raises(UserError, match="no way to take an adapter"):
        load_model(out, adapter="guessed")
