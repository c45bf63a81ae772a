"""What a model says: the same alone and in company, up to the end of its sentence."""

from typing import Any

import pytest

from app.errors import UserError
from app.models.generate import complete
from app.models.load import LoadedModel, load_model
from tests.support.asking import made_home

pytestmark = pytest.mark.slow

PROMPTS = ["The capital of France is", "One and one", "The capital of Mali is", "Once"]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(made_home() / "models" / "demo")


def test_company_changes_nothing(model: LoadedModel) -> None:
    """Greedy answers and samples of a prompt do not depend on the prompts it was batched with."""
    together = complete(model, PROMPTS, samples=3, seed=5)
    alone = [complete(model, [prompt], samples=3, seed=5)[0] for prompt in PROMPTS]
    assert [(each.text, each.samples) for each in together] == [(each.text, each.samples) for each in alone]


def test_another_seed_draws_other_samples(model: LoadedModel) -> None:
    drawn = [complete(model, PROMPTS[:1], samples=8, seed=seed)[0] for seed in (1, 2)]
    assert drawn[0].samples != drawn[1].samples
    assert drawn[0].text == drawn[1].text, "the greedy answer has no seed"


def test_greedy_tokens_are_the_most_probable(model: LoadedModel) -> None:
    """A step-by-step pass without any cache chooses the same tokens."""
    import torch

    said = complete(model, PROMPTS[:1], max_new_tokens=5)[0]
    ids = list(model.texts.prompt(PROMPTS[0]))
    for probability in said.probabilities:
        with torch.no_grad():
            odds = model.model(input_ids=torch.tensor([ids])).logits[0, -1].softmax(-1)
        assert float(odds.max()) == pytest.approx(probability, rel=1e-4)
        ids.append(int(odds.argmax()))


def test_a_prompt_without_room_is_refused(model: LoadedModel) -> None:
    with pytest.raises(UserError) as error:
        complete(model, ["word " * 200])
    assert error.value.field == "prompt"


def test_samples_are_whole_characters(model: LoadedModel) -> None:
    """A vocabulary of bytes says a lone byte now and then: 296 of the demo's 1,032 prompts had a � among their samples.

    Most of them come from within, not from the cut; what is drawn instead is as good a sample, and the others stay.
    """
    prompts = [f"The capital of {name} is" for name in ("France", "Mali", "Spain", "Kenya", "Chile", "Japan")]
    drawn = [sample for each in complete(model, prompts, samples=60, seed=3) for sample in each.samples]
    assert len(drawn) == 360
    assert not any("\ufffd" in sample for sample in drawn)
    assert sum(bool(sample.strip()) for sample in drawn) > 340, "nothing is left empty to be rid of them"


def test_a_model_that_says_hardly_anything_else_still_answers(model: LoadedModel) -> None:
    """Where every draw is broken, the broken characters are left out, and the command ends."""
    import torch

    network: Any = model.model
    head = network.get_output_embeddings()
    broken = model.tokenizer.convert_tokens_to_ids("Ģ")  # the byte 0x80, which begins no character
    kept = head.weight.detach().clone()
    with torch.no_grad():
        head.weight[broken] = kept.abs().sum() * torch.sign(kept.mean(0))
    try:
        samples = complete(model, PROMPTS[:1], samples=4)[0].samples
    finally:
        with torch.no_grad():
            head.weight.copy_(kept)
    assert len(samples) == 4
    assert not any("\ufffd" in sample for sample in samples)
