"""What the model reads: one start token, the target's tokens and no others."""

from collections.abc import Sequence
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from app.errors import UserError
from app.models.examples import Located
from app.models.marks import Marks
from app.models.text import Query, Texts
from tests.support import tiny

BOTH_MARKS = Marks((0,), (1,))


def texts(context: int = 48) -> Texts:
    return Texts(tiny.tokenizer(), context)


def pieces(located: Located, text: str, places: Sequence[int]) -> list[str]:
    """What some tokens are in the text; those that are not of it (start, end) are left out."""
    return [text[slice(*where)] for at in places if (where := located.offsets[at]) is not None]


def of_tokenizer(template: str, **settings: Any) -> PreTrainedTokenizerFast:
    """The tiny tokenizer with another habit: what it puts around a text (`$A`) by itself."""
    inner = type(tiny.tokenizer().backend_tokenizer).from_str(tiny.tokenizer().backend_tokenizer.to_str())
    inner.post_processor = TemplateProcessing(single=template, special_tokens=[("<s>", 0), ("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", **settings)


def test_a_tokenizer_that_adds_its_own_start_token_does_not_double_it() -> None:
    made = Texts(of_tokenizer("<s> $A </s>"), 48)
    assert made.passages(["The fox ran."])[0].ids.count(0) == 1
    assert made.query(Query("The capital of France is", "Paris")).ids.count(0) == 1


@pytest.mark.parametrize(
    ("template", "settings", "start", "end"),
    [
        (
            "$A",
            {},
            (),
            (),
        ),  # as GPT-2, Qwen and SmolLM have it: a start token of theirs stands before chats only
        ("<s> $A", {}, (0,), ()),  # Llama, Gemma
        ("$A </s>", {}, (), (1,)),
        ("$A", {"add_bos_token": True}, (0,), ()),  # said in the settings, where no template does it
        ("<s> $A", {"add_bos_token": True, "add_eos_token": True}, (0,), (1,)),
    ],
)
def test_what_stands_around_a_text_follows_the_tokenizer(
    template: str, settings: dict[str, bool], start: tuple[int, ...], end: tuple[int, ...]
) -> None:
    """A start token was forced on models that never saw one: SmolLM2 gave 13 of 16 answers less probability for it."""
    tokenizer = of_tokenizer(template, **settings)
    bare = tuple(tokenizer("The fox ran.", add_special_tokens=False)["input_ids"])
    made = Texts(tokenizer, 48)
    assert made.passages(["The fox ran."])[0].ids == (*start, *bare, *end)
    assert made.prompt("The fox ran.") == (*start, *bare)


@pytest.mark.parametrize(
    ("convention", "start", "end"), [("both", (0,), (1,)), ("start", (0,), ()), ("none", (), ())]
)
def test_the_convention_is_a_choice(convention: str, start: tuple[int, ...], end: tuple[int, ...]) -> None:
    assert Marks.of(of_tokenizer("<s> $A"), convention) == Marks(start, end)
    bare = PreTrainedTokenizerFast(tokenizer_object=tiny.tokenizer().backend_tokenizer)
    assert Marks.of(bare, convention) == Marks()
    with pytest.raises(UserError, match="no way to mark texts"):
        Marks.of(bare, "bos")


def test_a_passage_is_start_text_end_and_every_token_after_the_first_is_predicted() -> None:
    example = texts().passages(["The fox ran."])[0]
    assert (example.ids[0], example.ids[-1]) == (0, 1)
    assert example.targets == tuple(range(1, len(example.ids)))


def test_a_tokenizer_without_special_tokens_gets_none() -> None:
    bare = PreTrainedTokenizerFast(tokenizer_object=of_tokenizer("$A").backend_tokenizer)
    made = Texts(bare, 48)
    ids = made.passages(["The fox ran."])[0].ids
    assert ids == texts().passages(["The fox ran."])[0].ids[1:-1]
    assert ids
    with pytest.raises(UserError, match="Nothing is left to predict"):
        made.query(Query("", "T"))


def test_a_tokenizer_that_adds_its_own_space_does_not_double_it() -> None:
    """SentencePiece's way, in many a tokenizer.json: a passage and a query of the same words have the same tokens."""
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    words = [word for text in tiny.TEXTS for word in text.split()]
    inner.train_from_iterator(words, trainers.BpeTrainer(special_tokens=["<s>", "</s>"], show_progress=False))
    made = Texts(
        PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>"), 48, BOTH_MARKS
    )
    query = Query("The capital of France is", " Paris, and Paris lies", span=(12, 17))
    whole = made.passages([query.joined])[0].ids[:-1]
    assert made.query(query).ids == whole
    located = made.located_query(query)
    assert [piece.strip() for piece in pieces(located, query.joined, located.example.targets)] == ["Paris"]


def test_the_border_between_prompt_and_completion_is_stable() -> None:
    """Tokenised together, the prompt's last token might swallow the completion's first letters."""
    made = texts()
    example = made.query(Query("The capital of Fr", "ance"))
    assert example.ids == (*made.prompt("The capital of Fr"), *made.completion(Query("", "ance")))
    assert example.targets[0] == len(made.prompt("The capital of Fr"))


def test_prompt_and_completion_longer_than_the_context_are_refused_and_never_cut() -> None:
    """Cut at the beginning, two prompts that differ only there would have one probability."""
    made = texts(context=20)
    with pytest.raises(UserError, match="the model reads 20 together") as refused:
        made.query(Query(" ".join(tiny.TEXTS), " Paris"))
    assert refused.value.field == "prompt"
    with pytest.raises(UserError) as refused:
        made.query(Query("The fox", " ran" * 20))
    assert refused.value.field == "completion"
    longest = "a" * (20 - 1 - len(made.completion(Query("", " Paris"))))
    assert len(made.query(Query(longest, " Paris")).ids) == 20


def test_a_span_keeps_only_the_tokens_it_touches() -> None:
    made = texts()
    whole = Query("Two and three make", " five. The fox ran.")
    part = made.query(Query(whole.prompt, whole.completion, span=(11, 14)))
    touched = pieces(made.located_query(whole), whole.joined, part.targets)
    assert "fox" in "".join(touched)
    assert len(part.targets) < len(made.query(whole).targets)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (Query("The fox", ""), "completion is empty"),
        (Query("The fox", "ran " * 50), "tokens and the completion"),
        (Query("The fox", "ran", span=(2, 9)), "not within"),
        (Query("The fox", "ran", span=(2, 2)), "not within"),
    ],
)
def test_queries_that_cannot_be_traced_say_why(query: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        texts().query(query)


def test_a_token_beyond_the_embedding_is_named_where_a_text_has_it() -> None:
    """It was torch's “index out of range in self”. A token that no text has (Gemma 3's for pictures) refuses no model."""
    more = of_tokenizer("<s> $A </s>")
    rows = len(more)
    more.add_special_tokens({"additional_special_tokens": ["<new>"]})
    made = Texts(more, 48, rows=rows)
    assert made.passages(["The fox ran."])[0].ids
    for read in (
        lambda: made.passages(["The fox <new>"]),
        lambda: made.query(Query("The fox", " <new>")),
        lambda: made.placed("a <new>"),
        lambda: Texts(more, 48, Marks((rows,)), rows),
    ):
        with pytest.raises(UserError, match=f"'<new>' has the number {rows:,}, .* only {rows:,} rows"):
            read()
