"""Token numbers are exact: they add up to the score, and each is what its token alone would give."""

from collections.abc import Callable, Sequence
from typing import Literal

import pytest
import torch

from app.errors import UserError
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.trackstar.config import EncodingConfig, SecondMoments
from app.trackstar.encode import Encoder, Query
from app.trackstar.tokens import token_influence, token_influences
from tests.support import tiny
from tests.support.encoders import encoder_of

QUERY = Query("The capital of France is", " Paris on the Seine")


def unnormalised(encoder: Encoder, query: Query, passages: Sequence[str]) -> torch.Tensor:
    """Ĝ(z_q)·G(z_m) from whole encodings."""
    g = encoder.whiten(encoder.gradients(encoder.model.texts.passages(passages))).double()
    return g @ torch.from_numpy(encoder.encode_queries([query])[0]).double()


@pytest.mark.parametrize("split", ["loss", "position"])
@pytest.mark.parametrize(
    ("kind", "optimizer", "moments"),
    [("llama", "adafactor", "factored"), ("gpt2", "adamw", "exact"), ("neox", "adamw", "factored")],
)
def test_token_numbers_add_up_to_the_unnormalised_score(
    load: Callable[..., LoadedModel],
    kind: str,
    optimizer: str,
    moments: SecondMoments,
    split: Literal["loss", "position"],
) -> None:
    encoder = encoder_of(load(kind, optimizer), EncodingConfig(projection_dim=3, second_moments=moments))
    want = unnormalised(encoder, QUERY, tiny.TEXTS)
    got = token_influences(encoder, QUERY, tiny.TEXTS, split=split)
    for one, score in zip(got, want.tolist(), strict=True):
        size = sum(abs(value) for *_, value in one.passage)
        assert one.score == pytest.approx(score, rel=1e-4, abs=1e-5)
        assert sum(value for *_, value in one.passage) == pytest.approx(score, abs=1e-4 * size)
        assert sum(value for *_, value in one.query) == pytest.approx(score, abs=1e-4 * size)


@pytest.mark.parametrize("split", ["loss", "position"])
def test_the_tokens_of_a_contrast_add_up_too(
    load: Callable[..., LoadedModel], split: Literal["loss", "position"]
) -> None:
    """Where the answer was wrong, the words of its passages could not be shaded: its ranking is of two completions."""
    encoder = encoder_of(load("llama"), EncodingConfig(projection_dim=3))
    other = Query(QUERY.prompt, " Rome")
    g = encoder.whiten(encoder.gradients(encoder.model.texts.passages(tiny.TEXTS))).double()
    want = g @ torch.from_numpy(encoder.encode_against([QUERY], [other])[0]).double()
    got = token_influences(encoder, QUERY, tiny.TEXTS, other=other, split=split)
    for one, score in zip(got, want.tolist(), strict=True):
        size = sum(abs(value) for *_, value in one.passage)
        assert one.score == pytest.approx(score, rel=1e-4, abs=1e-5)
        assert sum(value for *_, value in one.passage) == pytest.approx(score, abs=1e-4 * size)
        assert one.query == []


def test_a_loss_tokens_number_is_the_score_of_a_passage_with_that_loss_alone(
    load: Callable[..., LoadedModel],
) -> None:
    """The forward-mode shortcut against one backward pass per token."""
    loaded = load("llama")
    encoder = encoder_of(loaded, EncodingConfig(projection_dim=3))
    text = tiny.TEXTS[4]
    example = loaded.texts.passages([text])[0]
    alone = [TrainingExample(example.ids, (place,)) for place in example.targets]
    query = torch.from_numpy(encoder.encode_queries([QUERY])[0]).double()
    want = encoder.whiten(encoder.gradients(alone)).double() @ query
    got = torch.tensor(
        [value for *_, value in token_influence(encoder, QUERY, text).passage], dtype=torch.float64
    )
    assert torch.allclose(got, want, rtol=1e-3, atol=1e-4 * want.abs().max().item())


def test_places_are_characters_of_the_passage_and_of_the_text_as_read(
    load: Callable[..., LoadedModel],
) -> None:
    encoder = encoder_of(load("llama"), EncodingConfig(projection_dim=3))
    text = "The fox ran."
    one = token_influence(encoder, QUERY, text)
    assert "".join(text[a:b] for a, b, _ in one.passage) == text
    assert one.passage[-1][:2] == (len(text), len(text))
    joined = QUERY.joined
    assert "".join(joined[a:b] for a, b, _ in one.query) == QUERY.completion
    whole = token_influence(encoder, QUERY, text, split="position")
    assert "".join(joined[a:b] for a, b, _ in whole.query) == joined


def test_a_blank_passage_has_no_tokens_and_a_bad_query_says_so(load: Callable[..., LoadedModel]) -> None:
    encoder = encoder_of(load("llama"), EncodingConfig(projection_dim=3))
    assert token_influence(encoder, QUERY, " ").passage == []
    with pytest.raises(UserError, match="completion is empty"):
        token_influence(encoder, Query("The fox", ""), "The fox ran.")
