"""A model published as weights alone takes steps too: estimated, chosen by rule, and both said."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from app.errors import UserError
from app.models.estimated import DAMPING, RATES, STILL, choose_rate, estimated_state, sample_of
from app.models.load import LoadedModel, load_model
from app.models.optimizers import Adafactor
from app.models.steps import TailPatch
from app.models.taps import PassageGradients
from app.models.text import Query
from tests.support import tiny

QUERY = Query("The capital of", " France")


@pytest.fixture(params=["llama", "gpt2"])
def bare(request: pytest.FixtureRequest, checkpoints: Callable[..., Path]) -> LoadedModel:
    return load_model(checkpoints(request.param, None))


def test_second_moments_are_the_mean_squares_of_the_samples_gradients(bare: LoadedModel) -> None:
    """Against autograd on the model itself, whose weights are called as they are."""
    sample = sample_of(bare, tiny.TEXTS[:3])
    state = estimated_state(bare, Adafactor(), sample, PassageGradients(bare))
    model = bare.model
    wanted = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    model.requires_grad_()
    for example in sample:
        model.zero_grad()
        logits = model(input_ids=torch.tensor([example.ids])).logits[0]
        places = torch.tensor(example.targets)
        cross_entropy(logits[places - 1], torch.tensor(example.ids)[places]).backward()
        for name, parameter in model.named_parameters():
            wanted[name] += parameter.grad.square() / len(sample)
    model.requires_grad_(False)
    model.zero_grad()
    assert set(state.entries) == set(wanted)
    for name, square in wanted.items():
        rows = {"row_var": -1, "col_var": -2} if square.dim() > 1 else {}
        moments = {key: square.mean(at, keepdim=True) for key, at in rows.items()} or {"variance": square}
        for key, value in moments.items():
            damped = (1 - DAMPING) * value + DAMPING * value.mean()
            torch.testing.assert_close(state.entries[name][key], damped, rtol=1e-4, atol=1e-12)


def test_a_step_teaches_its_passage_and_says_how_it_was_made(bare: LoadedModel) -> None:
    patch = TailPatch(bare, sample=tiny.TEXTS)
    said = patch.settings
    assert (said["optimizer"], said["steps"]) == ("adafactor", 1)
    assert said["second_moments"] == f"estimated from {len(patch.sample)} passages"
    assert said["learning_rate_from"] == "rule"
    assert said["learning_rate"] in RATES
    assert said["trained_steps"] is None
    falls, moved = patch._teaches(said["learning_rate"])
    assert said["learning_rate"] == RATES[-1] or (falls and moved < STILL)
    before = {name: value.clone() for name, value in bare.model.state_dict().items()}
    stating, other = patch.measure(QUERY, ["The capital of France", "Numbers"])
    assert all(torch.equal(before[name], value) for name, value in bare.model.state_dict().items())
    assert stating > 0
    assert stating > other
    assert patch.measure(QUERY, ["The capital of France"]) == [pytest.approx(stating, rel=1e-4)]


def test_the_same_sample_gives_the_same_step(checkpoints: Callable[..., Path]) -> None:
    """Steps are kept for ever under their settings: two processes must agree."""
    patches = [TailPatch(load_model(checkpoints("llama", None)), sample=tiny.TEXTS) for _ in range(2)]
    assert patches[0].settings == patches[1].settings
    assert patches[0].measure(QUERY, tiny.TEXTS[:2]) == patches[1].measure(QUERY, tiny.TEXTS[:2])


def test_a_rate_asked_for_is_taken(bare: LoadedModel) -> None:
    patch = TailPatch(bare, learning_rate=1e-3, sample=tiny.TEXTS)
    assert (patch.settings["learning_rate"], patch.settings["learning_rate_from"]) == (1e-3, "asked for")


def test_a_saved_state_goes_before_an_estimate(load: Callable[..., LoadedModel]) -> None:
    assert TailPatch(load("llama"), sample=tiny.TEXTS).settings == TailPatch(load("llama")).settings


def test_the_rule_takes_the_largest_rate_that_teaches_and_leaves_others_alone() -> None:
    assert choose_rate(lambda rate: (True, 0.0)) == RATES[0]
    assert choose_rate(lambda rate: (rate < 0.02, 0.0)) == max(r for r in RATES if r < 0.02)
    assert choose_rate(lambda rate: (True, 90 * rate)) == max(r for r in RATES if 90 * r < STILL)
    assert choose_rate(lambda rate: (False, 1.0)) == RATES[-1]


def test_what_rounding_moves_is_not_held_against_a_rate() -> None:
    """In bfloat16 a step of any size moved unrelated targets by 1.3 points: the smallest rate was taken, which moved nothing."""
    assert choose_rate(lambda rate: (True, max(1.3, 1e4 * rate))) == 1e-4


def test_a_corpus_without_text_is_told(bare: LoadedModel) -> None:
    with pytest.raises(UserError, match="fewer than two passages"):
        TailPatch(bare, sample=["", " "])
