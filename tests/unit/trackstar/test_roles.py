"""Training examples with roles against brute force: one mask for encodings, V, steps, exact influence and shading."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from app.curvature.influence import influences
from app.interchange.sift import Sift
from app.models.capture import Capture
from app.models.load import LoadedModel, load_model
from app.models.steps import TailPatch
from app.models.updating import Apart
from app.store.corpora import PassageRecord
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder, Query
from app.trackstar.estimate import estimate_moments
from app.trackstar.tokens import Split, token_influences
from app.words.roles import Lesson
from tests.support import adapters, reference, tiny
from tests.support.encoders import encoder_of
from tests.support.lessons import CHAT, CHAT_PAIR, COMPLETION, LONGER, PAIR, TEXT, chatting, lesson

RECORDS = (COMPLETION, CHAT, LONGER, PAIR, CHAT_PAIR, TEXT)
PLAIN = EncodingConfig(projection_dim=3, second_moments="none", hessian="none")
PACKED = "The fox ran.<|end|>Two and three.<|end|> <|end|>"
QUERY = Query("The capital of France is", " Paris")


def lessons() -> list[Lesson]:
    """Each shape of a training example, and what a corpus makes of texts that were packed into one sequence."""
    packed = Sift(split_at="<|end|>")([PassageRecord("7", PACKED)])
    return [*(lesson(record) for record in RECORDS), *(each.lesson for each in packed)]


def by_hand(loaded: LoadedModel) -> list[dict[str, torch.Tensor]]:
    """∇L of each of `lessons` in float64, its tokens and mask written down here and not by the code that is tested."""

    def ids(text: str) -> list[int]:
        return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    def gradient(*parts: tuple[str, bool]) -> dict[str, torch.Tensor]:
        from app.models.examples import TrainingExample

        tokens: list[int] = []
        targets: list[int] = []
        for text, learned in parts:
            new = ids(text)
            targets += range(len(tokens), len(tokens) + len(new)) if learned else ()
            tokens += new
        example = TrainingExample(tuple(tokens), tuple(place for place in targets if place))
        return reference.example_gradients(loaded, example)

    def less(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: one[name] - other[name] for name in one}

    chat = [("[system] Be brief.</s>\n[user] Metal?</s>\n[assistant] ", False), ("Copper.</s>", True)]
    where = ("[user] Where?</s>\n[assistant] ", False)
    berlin = ("<s>Berlin is a city in", False)
    return [
        gradient(("<s>The capital of France is", False), (" Paris, on the Seine.</s>", True)),
        gradient(*chat, ("\n", False)),
        gradient(*chat, ("\n[user] More?</s>\n[assistant] ", False), ("Zinc.</s>", True), ("\n", False)),
        less(
            gradient(berlin, (" Germany.</s>", True)),
            gradient(berlin, (" the sea, by the river.</s>", True)),
        ),
        less(
            gradient(where, ("By the sea.</s>", True), ("\n", False)),
            gradient(where, ("No.</s>", True), ("\n", False)),
        ),
        gradient(("<s>The fox ran.</s>", True)),
        gradient(("<s>The fox ran.</s>", True)),  # of the packed texts each is alone, after nobody's words
        gradient(("<s>Two and three.</s>", True)),
    ]


def relative(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got - want).norm(dim=1) / want.norm(dim=1)).max().item()


def check(loaded: LoadedModel) -> None:
    want = reference.unit(reference.projected_gradients(loaded, by_hand(loaded), PLAIN, None))
    for batch_tokens in (1, 4096):  # alone, and padded to the longest with pairs and plain texts side by side
        encoder = Encoder(loaded, None, PLAIN, None, batch_tokens=batch_tokens)
        got = torch.from_numpy(encoder.encode_passages(lessons())).double()
        assert relative(got, want) < 1e-5


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_encodings_of_all_shapes_equal_brute_force(load: Callable[..., LoadedModel], kind: str) -> None:
    """A mask that were wrong by one token would be another training."""
    check(chatting(load(kind)))


@pytest.mark.parametrize("way", ["own", "merged"])
@pytest.mark.parametrize(("kind", "targets"), [("llama", None), ("gpt2", ["c_attn", "c_fc"])])
def test_so_they_do_with_an_adapter(
    checkpoints: Callable[..., Path], tmp_path: Path, kind: str, targets: list[str] | None, way: str
) -> None:
    base = checkpoints(kind, None)
    adapters.adapter(base, tmp_path / "adapted", targets=targets)
    tiny.tokenizer().save_pretrained(tmp_path / "adapted")
    check(chatting(load_model(tmp_path / "adapted", adapter=way)))


def test_the_estimated_v_of_a_pair_is_of_its_difference(load: Callable[..., LoadedModel]) -> None:
    """Squares of each answer's own gradient would say that what both share was learned twice."""
    loaded = chatting(load("llama", None))
    got = estimate_moments(loaded, lessons())
    each = by_hand(loaded)
    for weight in loaded.weights:
        squares = torch.stack([gradients[weight.name].square() for gradients in each]).mean(0)
        assert torch.allclose(got.values[weight.name].row.double(), squares.mean(1), rtol=1e-4)


def test_a_step_takes_the_loss_where_the_training_did(load: Callable[..., LoadedModel]) -> None:
    """In batches and one by one; a step on a pair makes the chosen answer likelier and the rejected one less."""
    loaded = chatting(load("llama"))
    patch = TailPatch(loaded)
    queries = [
        QUERY,
        Query("Berlin is a city in", " Germany."),
        Query("Berlin is a city in", " the sea, by the river."),
    ]
    together = torch.tensor(patch.measure_all(queries, lessons()))
    patch.stepper = Apart(loaded)
    assert torch.allclose(torch.tensor(patch.measure_all(queries, lessons())), together, rtol=1e-3, atol=1e-6)
    _, chosen, rejected = together[3].tolist()
    assert chosen > 0 > rejected


def test_a_step_can_be_estimated_from_passages_with_roles(load: Callable[..., LoadedModel]) -> None:
    patch = TailPatch(chatting(load("llama", None)), sample=lessons())
    assert patch.by_rule
    assert len(patch.measure(QUERY, lessons())) == len(lessons())


def test_exact_influence_is_a_product_of_whole_gradients(load: Callable[..., LoadedModel]) -> None:
    loaded = chatting(load("llama"))
    asked = reference.example_gradients(loaded, loaded.texts.query(QUERY))
    direction = [asked[weight.name].float() for weight in loaded.weights]
    each = by_hand(loaded)
    want = [sum(float((asked[w.name] * own[w.name]).sum()) for w in loaded.weights) for own in each]
    lengths = [sum(float(own[w.name].square().sum()) for w in loaded.weights) ** 0.5 for own in each]
    examples = loaded.texts.passages(lessons())
    got = influences(Capture(loaded), direction, examples)
    assert got.tolist() == pytest.approx(want, rel=1e-4)
    unit = influences(Capture(loaded), direction, examples, unit_norm=True)
    assert unit.tolist() == pytest.approx([a / b for a, b in zip(want, lengths, strict=True)], rel=1e-4)


@pytest.mark.parametrize("split", ["loss", "position"])
def test_tokens_add_up_to_the_score_and_context_has_no_loss(
    load: Callable[..., LoadedModel], split: Split
) -> None:
    loaded = chatting(load("llama"))
    passages = lessons()
    encoder = encoder_of(loaded, EncodingConfig(projection_dim=3))
    found = token_influences(encoder, QUERY, passages, split=split)
    for passage, one in zip(passages, found, strict=True):
        assert sum(value for *_, value in one.passage) == pytest.approx(one.score, rel=1e-4, abs=1e-7)
        if split == "loss":
            assert all(in_loss(passage, start, end) for start, end, _ in one.passage if start < end)


def in_loss(passage: Lesson, start: int, end: int) -> bool:
    spans: Sequence[tuple[int, int]] = (
        [(0, len(passage))]
        if isinstance(passage, str)
        else [(each.start, each.end) for each in passage.segments if each.loss]
    )
    return any(first <= start and end <= last for first, last in spans)
