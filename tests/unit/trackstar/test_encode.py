"""The fast path against brute force, and everything that must not change an encoding."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.errors import UserError
from app.models.batching import in_batches
from app.models.hands import own_hands
from app.models.load import LoadedModel, load_model
from app.models.updating import logp_of
from app.trackstar.config import EncodingConfig, SecondMoments
from app.trackstar.encode import Encoder, ProjectedRows, Query
from app.trackstar.moments import Exact, Factored, load_moments
from app.trackstar.projection import gaussian
from app.words.methods import TRACKSTAR, encodings
from tests.support import reference, tiny
from tests.support.encoders import encoder_of

QUERIES = [
    Query("The capital of France is", " Paris"),
    Query("Two and three make", " five."),
    Query("The capital of Portugal is", " Lisbon, by the sea"),
]


def matrices(loaded: LoadedModel, kind: SecondMoments) -> dict[str, torch.Tensor] | None:
    """V entry by entry, (out, in), from the optimizer's state and by its own definition."""
    if kind == "none":
        return None
    values = load_moments(loaded, kind).values
    return {
        name: v.value
        if isinstance(v, Exact)
        else torch.outer(v.row.double(), v.col.double()) / v.row.double().mean()
        for name, v in values.items()
    }


def relative(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got - want).norm(dim=1) / want.norm(dim=1)).max().item()


@pytest.mark.parametrize(
    ("kind", "optimizer", "moments"),
    [
        ("llama", "adafactor", "factored"),
        ("llama", "adamw", "exact"),
        ("gpt2", "adafactor", "factored"),
        ("gpt2", "adamw", "factored"),
        ("gpt2", "adamw", "exact"),
        ("neox", "adamw", "factored"),
        ("neo", "adafactor", "factored"),
        ("olmo", "adafactor", "factored"),
    ],
)
def test_encodings_equal_brute_force_to_1e_5(
    load: Callable[..., LoadedModel], kind: str, optimizer: str, moments: SecondMoments
) -> None:
    """V, P, R^(-1/2) on both sides and the unit norm, in this order, for passages and for queries."""
    loaded = load(kind, optimizer)
    method = EncodingConfig(projection_dim=3, second_moments=moments)
    encoder = encoder_of(loaded, method)
    v = matrices(loaded, moments)
    fitted_on = reference.projected(loaded, loaded.texts.passages(tiny.MANY), method, v)

    passages = reference.unit(reference.whitened(fitted_on, fitted_on, method))
    assert relative(torch.from_numpy(encoder.encode_passages(tiny.MANY)).double(), passages) < 1e-5

    asked = reference.projected(loaded, [loaded.texts.query(query) for query in QUERIES], method, v)
    queries = reference.unit(reference.whitened(asked, fitted_on, method))
    assert relative(torch.from_numpy(encoder.encode_queries(QUERIES)).double(), queries) < 1e-5


@pytest.mark.parametrize("preset", [name for name in encodings() if name != TRACKSTAR])
def test_every_switch_equals_brute_force(load: Callable[..., LoadedModel], preset: str) -> None:
    """Each ablation leaves out what its name says and nothing else."""
    loaded = load("llama", "adafactor")
    method = EncodingConfig.preset(preset, projection_dim=3)
    v = matrices(loaded, method.second_moments)
    want = fitted_on = reference.projected(loaded, loaded.texts.passages(tiny.MANY), method, v)
    if method.hessian != "none":
        want = reference.whitened(want, fitted_on, method)
    if method.unit_norm:
        want = reference.unit(want)
    got = torch.from_numpy(encoder_of(loaded, method).encode_passages(tiny.MANY)).double()
    assert relative(got, want) < 1e-5


def test_soft_capped_logits_are_differentiated_through_the_models_own_head(tmp_path: Path) -> None:
    """Gemma 2 caps its logits: the shortcut through the last hidden state would be wrong there."""
    loaded = load_model(tiny.save_model(tmp_path / "gemma", "gemma", optimizer=None))
    method = EncodingConfig.preset("gradient-dot", projection_dim=3)
    encoder = Encoder(loaded, None, method, None)
    examples = loaded.texts.passages(tiny.TEXTS)
    assert not encoder.capture.head.is_linear
    want = reference.projected(loaded, examples, method, None)
    assert relative(encoder.gradients(examples).double(), want) < 1e-5


def test_only_the_target_of_a_query_carries_gradient(load: Callable[..., LoadedModel]) -> None:
    """A span of the completion is the loss; the prompt's own tokens never are."""
    loaded = load("llama")
    method = EncodingConfig.preset("gradient-dot", projection_dim=3)
    encoder = Encoder(loaded, None, method, None)
    query = Query("Two and three make", "five. The fox ran.", span=(0, 4))
    example = loaded.texts.query(query)
    prompt = len(loaded.texts.prompt(query.prompt))
    assert min(example.targets) == prompt
    assert max(example.targets) < len(example.ids) - 3
    want = reference.projected(loaded, [example], method, None)
    assert relative(encoder.gradients([example]).double(), want) < 1e-5


def test_padding_batches_and_order_leave_an_encoding_unchanged(load: Callable[..., LoadedModel]) -> None:
    """Alone, among longer ones, in small batches or backwards: the same encoding to float tolerance."""
    loaded = load("llama")
    method = EncodingConfig(projection_dim=3)
    encoder = encoder_of(loaded, method)
    small = Encoder(loaded, encoder.moments, method, encoder.whitening, batch_tokens=40)
    together = torch.from_numpy(encoder.encode_passages(tiny.MANY))
    alone = torch.from_numpy(encoder.encode_passages(tiny.MANY[:1]))
    backwards = torch.from_numpy(encoder.encode_passages(tiny.MANY[::-1])).flip(0)
    batched = torch.from_numpy(small.encode_passages(tiny.MANY))
    assert torch.allclose(together[:1], alone, atol=2e-5)
    assert torch.allclose(together, backwards, atol=2e-5)
    assert torch.allclose(together, batched, atol=2e-5)


def test_text_beyond_the_context_changes_nothing(load: Callable[..., LoadedModel]) -> None:
    """A passage is cut at the context; what stood beyond has no part in its encoding."""
    loaded = load("llama")
    encoder = encoder_of(loaded, EncodingConfig(projection_dim=3))
    long = " ".join(tiny.TEXTS)
    rows = torch.from_numpy(encoder.encode_passages([long, long + " The fox ran.", tiny.TEXTS[0]]))
    assert [example.cut for example in loaded.texts.passages([long, tiny.TEXTS[0]])] == [True, False]
    assert torch.allclose(rows[0], rows[1], atol=1e-6)


def test_empty_passages_become_zero_rows_and_never_nan(load: Callable[..., LoadedModel]) -> None:
    encoder = encoder_of(load("llama"), EncodingConfig(projection_dim=3))
    rows = encoder.encode_passages(["", tiny.TEXTS[0], " \n\t"])
    assert not rows[0].any()
    assert not rows[2].any()
    assert abs((rows[1] ** 2).sum() - 1) < 1e-6


def test_a_contrast_is_the_gradient_of_the_difference_of_two_probabilities(
    load: Callable[..., LoadedModel],
) -> None:
    """Of log p both count alike, and where the other was unlikely the lists were of passages against it alone."""
    loaded = load("llama")
    method = EncodingConfig(projection_dim=3)
    encoder = encoder_of(loaded, method)
    asked = [Query("The capital of France is", city) for city in ("Paris", "Lisbon", "Rome")]
    paris, rome = (loaded.texts.query(query) for query in asked[:2])
    v = matrices(loaded, "factored")
    fitted_on = reference.projected(loaded, loaded.texts.passages(tiny.MANY), method, v)
    pair = reference.projected(loaded, [paris, rome], method, v)
    likely = [math.exp(log) for log in logp_of(loaded, [paris, rome])]
    assert likely[0] != pytest.approx(likely[1], rel=0.05)
    difference = likely[0] * pair[:1] - likely[1] * pair[1:]
    want = reference.unit(reference.whitened(difference, fitted_on, method))
    both = encoder.encode_against([asked[0], asked[2]], [asked[1], None])
    assert relative(torch.from_numpy(both[:1]).double(), want) < 1e-5
    assert both[1] == pytest.approx(encoder.encode_queries(asked[2:])[0], abs=1e-6), "asked alone as ever"


def test_the_projection_depends_on_name_and_seed_and_not_on_order_or_width(
    load: Callable[..., LoadedModel],
) -> None:
    """Scaled by width, attention would weigh against MLP fourfold; drawn in sequence, order would matter."""
    narrow, wide = gaussian(0, "a", "in", 16, 1000), gaussian(0, "a", "in", 16, 4000)
    assert narrow.var().item() == pytest.approx(1 / 16, rel=0.05)
    assert wide.var().item() == pytest.approx(1 / 16, rel=0.05)
    assert torch.equal(narrow, gaussian(0, "a", "in", 16, 1000))
    for other in (
        gaussian(1, "a", "in", 16, 1000),
        gaussian(0, "b", "in", 16, 1000),
        gaussian(0, "a", "out", 16, 1000),
    ):
        assert not torch.allclose(narrow, other)


def test_weights_that_read_one_tensor_share_one_product(load: Callable[..., LoadedModel]) -> None:
    """Query, key and value stand on one input; a wrong share would have failed against brute force."""
    encoder = Encoder(load("llama"), None, EncodingConfig.preset("gradient-dot", projection_dim=3), None)
    assert encoder.capture.first_readers[:4] == [0, 0, 0, 3]
    assert encoder.capture.first_readers[4:6] == [4, 4]


def test_float64_agrees_to_rounding(load: Callable[..., LoadedModel]) -> None:
    """What is left of the difference in float32 is rounding, not method."""
    loaded = load("gpt2", "adamw", torch.float64)
    method = EncodingConfig(projection_dim=3, second_moments="exact", hessian="none", unit_norm=False)
    encoder = Encoder(loaded, load_moments(loaded, "exact"), method, None)
    examples = loaded.texts.passages(tiny.TEXTS)
    want = reference.projected(loaded, examples, method, matrices(loaded, "exact"))
    assert relative(encoder.gradients(examples), want) < 1e-12


def test_bfloat16_is_faithful(load: Callable[..., LoadedModel]) -> None:
    """Half the bits give the same direction; the moments and R^(-1/2) stay in float32."""
    full, half = load("llama"), load("llama", "adafactor", torch.bfloat16)
    method = EncodingConfig(projection_dim=3, hessian="none")
    moments = load_moments(full, "factored")
    assert all(isinstance(v, Factored) and v.row.dtype == torch.float32 for v in moments.values.values())
    one = torch.from_numpy(Encoder(full, moments, method, None).encode_passages(tiny.TEXTS))
    two = torch.from_numpy(Encoder(half, moments, method, None).encode_passages(tiny.TEXTS))
    assert (one * two).sum(1).min() > 0.995


def test_a_method_and_its_parts_must_agree(load: Callable[..., LoadedModel]) -> None:
    loaded = load("llama")
    with pytest.raises(UserError, match="second moments"):
        Encoder(loaded, None, EncodingConfig(hessian="none"), None)
    with pytest.raises(UserError, match="Hessian"):
        Encoder(loaded, load_moments(loaded, "factored"), EncodingConfig(), None)
    with pytest.raises(UserError, match="2 layers cannot be cut into 3 groups"):
        Encoder(loaded, None, EncodingConfig.preset("gradient-dot", groups=3), None)
    with pytest.raises(UserError, match="Choose one of gradient-dot"):
        EncodingConfig.preset("influence")


def test_a_batch_that_is_handed_out_is_the_batch_of_one_process(load: Callable[..., LoadedModel]) -> None:
    """To the bit: who is given batches cuts none of them again."""
    loaded = load("llama")
    plain = EncodingConfig.preset("gradient-dot", projection_dim=3)
    examples = loaded.texts.passages(["", *tiny.MANY])
    whole = Encoder(loaded, None, plain, None, batch_tokens=40).gradients(examples)
    rows, told, batches = torch.zeros_like(whole), [0], 0
    work = ProjectedRows(None, plain, 40)
    for batch, made in in_batches(own_hands(loaded), work, examples, 40, told.append):
        rows[batch] = torch.from_numpy(made)
        batches += 1
    assert torch.equal(rows, whole)
    assert batches > 3
    assert sum(told) == len(tiny.MANY)


def test_a_pass_keeps_no_more_than_the_weights_take_and_encodes_the_same(
    load: Callable[..., LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large model 2,048 tokens keep several times its weights for the backward pass."""
    loaded = load("llama")
    method = EncodingConfig(groups=1, projection_dim=4, second_moments="none", hessian="none")
    texts = ["The capital of France is Paris.", "Two and three make five.", "The sea."]
    roomy = Encoder(loaded, None, method, None)
    assert roomy.batch_tokens == 2048
    monkeypatch.setattr("app.models.batching.ROOM", 0)
    wide = sum(weight.in_features + weight.out_features for weight in loaded.weights)
    held = sum(value.numel() for value in loaded.model.parameters())
    tight = Encoder(loaded, None, method, None)
    assert tight.batch_tokens == 4 * held // (5 * wide) < 2048
    tight.batch_tokens = 8
    assert torch.allclose(
        torch.from_numpy(tight.encode_passages(texts)),
        torch.from_numpy(roomy.encode_passages(texts)),
        atol=1e-6,
    )
