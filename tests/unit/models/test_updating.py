"""Many passages in one batch step as each does alone, whatever the architecture, the optimizer and their lengths."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from app.models.estimated import estimated_state, sample_of
from app.models.load import LoadedModel, load_model
from app.models.optimizers import OPTIMIZERS
from app.models.steps import TailPatch
from app.models.taps import PassageGradients
from app.models.text import Query
from app.models.updating import Apart, Together
from tests.support import tiny

QUERIES = [Query("The capital of", " France"), Query("The", " fox"), Query("Two and three", " make")]
LONG = " ".join(tiny.TEXTS)  # longer than the tiny weights are wide: its gradient is formed
PASSAGES = [*tiny.TEXTS[:5], "x", LONG]


@pytest.fixture(scope="module", params=["llama", "gpt2", "gemma", "neo", "neox", "olmo"])
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(tiny.save_model(tmp_path_factory.mktemp("m") / "m", request.param, optimizer=None))


def both(patch: TailPatch) -> Iterator[torch.Tensor]:
    """Log probabilities after each passage, together and one by one."""
    asked = [(passage, QUERIES) for passage in PASSAGES]
    for stepper in (patch.stepper, Apart(patch.model)):
        patch.stepper = stepper
        yield torch.tensor(patch.after(asked)).log()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_a_batch_is_its_passages_one_by_one(bare: LoadedModel, name: str, decay: float) -> None:
    patch = TailPatch(bare, optimizer=name, learning_rate=3e-3, sample=tiny.TEXTS)
    settings = patch.update.settings
    for key in settings:
        settings[key] = {**settings[key], "weight_decay": decay}
    assert isinstance(patch.stepper, Together), "the fast way is taken, not only offered"
    together, apart = both(patch)
    before = torch.tensor(patch.probabilities(QUERIES)).log()
    assert (apart - before).abs().amax() > 1e-3
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adafactor", "adamw"])
def test_so_do_steps_from_a_saved_state(tmp_path: Path, optimizer: str) -> None:
    patch = TailPatch(load_model(tiny.save_model(tmp_path / "m", optimizer=optimizer)))
    assert not patch.sample
    together, apart = both(patch)
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-5)


def test_a_v_so_small_that_torch_clamps_it_is_clamped(tmp_path: Path) -> None:
    """Adafactor's default: entries of V below 1.4e-14 count as that, one by one, which no scaling of rows can say."""
    patch = TailPatch(load_model(tiny.save_model(tmp_path / "m")))
    for moments in patch.update.moments.values():
        for key in moments:
            moments[key] *= 1e-9
    for name in patch.update.settings:
        patch.update.settings[name].update(eps=(None, 1e-3))  # type: ignore[attr-defined]  # the update of a saved state has settings
    together, apart = both(patch)
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-5)


def test_the_estimate_is_the_same_from_batches_and_one_by_one(bare: LoadedModel) -> None:
    sample, used = sample_of(bare, PASSAGES), OPTIMIZERS["adafactor"]
    fast = estimated_state(bare, used, sample, PassageGradients(bare)).entries
    slow = estimated_state(bare, used, sample, None).entries
    assert fast.keys() == slow.keys()
    for name, moments in slow.items():
        for key, value in moments.items():
            torch.testing.assert_close(fast[name][key], value, rtol=1e-3, atol=float(value.mean()) * 1e-4)


def test_a_batch_that_must_be_cut_answers_alike(bare: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory decides how many passages go together, never what comes of them."""
    patch = TailPatch(bare, learning_rate=3e-3, sample=tiny.TEXTS)
    asked = [(passage, QUERIES) for passage in PASSAGES]
    wanted = patch.after(asked)
    monkeypatch.setattr(PassageGradients, "tokens", 1)
    for got, want in zip(patch.after(asked), wanted, strict=True):
        assert got == pytest.approx(want, rel=1e-5)


def state_of(model: LoadedModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.model.state_dict().items()}


@pytest.mark.parametrize("way", [Together, Apart])
def test_whatever_happens_the_model_is_bit_for_bit_what_it_was(
    bare: LoadedModel, way: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where memory runs out in the middle of a step: the next trace encodes with the same weights."""
    patch = TailPatch(bare, learning_rate=3e-3, sample=tiny.TEXTS)
    if way is Apart:
        patch.stepper = Apart(bare)
    before, wanted = state_of(bare), patch.measure(QUERIES[0], PASSAGES)
    assert all(torch.equal(value, before[name]) for name, value in bare.model.state_dict().items())
    calls = []
    norm = torch.nn.functional.linear

    def failing(*args: object) -> torch.Tensor:
        calls.append(1)
        if len(calls) > 40:
            raise MemoryError("nothing left")
        return norm(*args)  # type: ignore[arg-type]  # as it was called

    conv = torch.addmm
    monkeypatch.setattr(torch.nn.functional, "linear", failing)
    monkeypatch.setattr(
        torch, "addmm", lambda *args: (failing(torch.ones(1, 1), torch.ones(1, 1)), conv(*args))[1]
    )
    with pytest.raises(MemoryError):
        patch.measure(QUERIES[0], PASSAGES)
    monkeypatch.undo()
    assert all(torch.equal(value, before[name]) for name, value in bare.model.state_dict().items())
    assert not any(value.requires_grad for value in bare.model.parameters())
    assert not any(module._forward_hooks for module in bare.model.modules())
    assert patch.measure(QUERIES[0], PASSAGES) == wanted


def test_a_model_whose_passages_cannot_be_told_apart_steps_one_by_one(bare: LoadedModel) -> None:
    """A parameter used outside of the module that holds it: the batch would miss a part of its gradient."""
    model = bare.model
    weight = model.get_input_embeddings().weight  # type: ignore[operator]  # a method that torch types as a module

    def also(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        return output + weight.sum() * output

    handle = model.get_output_embeddings().register_forward_hook(also)  # type: ignore[operator]  # a method that torch types as a module
    try:
        patch = TailPatch(bare, learning_rate=3e-3, sample=tiny.TEXTS)
        assert isinstance(patch.stepper, Apart)
        assert len(patch.measure(QUERIES[0], PASSAGES)) == len(PASSAGES)
    finally:
        handle.remove()


def test_optimizers_differ_and_say_which_they_are(bare: LoadedModel) -> None:
    made = [TailPatch(bare, optimizer=name, learning_rate=3e-3, sample=tiny.TEXTS) for name in OPTIMIZERS]
    assert [patch.settings["optimizer"] for patch in made] == list(OPTIMIZERS)
    changes = [patch.measure(QUERIES[0], PASSAGES)[0] for patch in made]
    assert len(set(changes)) == len(made)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_step_computed_in_bfloat16_is_the_one_in_float32_to_its_rounding(
    checkpoints: Callable[..., Path], kind: str
) -> None:
    """What a step adds to a weight is less than bfloat16 can add: it is kept beside the weight, not in it."""
    asked = [(passage, QUERIES) for passage in PASSAGES]
    changes = []
    for dtype in (torch.float32, torch.bfloat16):
        patch = TailPatch(load_model(checkpoints(kind), dtype=dtype), learning_rate=1e-2)
        assert isinstance(patch.stepper, Together)
        before = torch.tensor(patch.probabilities(QUERIES)).log()
        changes.append(torch.tensor(patch.after(asked)).log() - before)
    exact, rounded = changes
    assert exact.abs().max() > 0.1
    assert (exact - rounded).abs().max() < 0.1 * exact.abs().max()
