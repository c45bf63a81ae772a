"""What the model reads: one start token, the target's tokens and no others."""

import pytest
from tokenizers import Tokenizer, models, normalizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from app.errors import UserError
from app.models.text import Query, Texts, spaced
from tests.support import tiny


def texts(context=48):
    return Texts(tiny.tokenizer(), context)


def with_template():
    """A tokenizer that adds its own start and end token, as Llama's does."""
    inner = type(tiny.tokenizer().backend_tokenizer).from_str(tiny.tokenizer().backend_tokenizer.to_str())
    inner.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")


def test_a_tokenizer_that_adds_its_own_start_token_does_not_double_it():
    plain, template = texts(), Texts(with_template(), 48)
    assert template.tokenizer("a")["input_ids"][0] == 0
    assert plain.passages(tiny.TEXTS) == template.passages(tiny.TEXTS)
    query = Query("The capital of France is", "Paris")
    assert plain.query(query) == template.query(query)
    assert plain.query(query).ids.count(0) == 1


def test_a_passage_is_start_text_end_and_every_token_after_the_first_is_predicted():
    example = texts().passages(["The fox ran."])[0]
    assert (example.ids[0], example.ids[-1]) == (0, 1)
    assert example.targets == tuple(range(1, len(example.ids)))


def test_a_tokenizer_without_special_tokens_gets_none():
    bare = PreTrainedTokenizerFast(tokenizer_object=tiny.tokenizer().backend_tokenizer)
    made = Texts(bare, 48)
    ids = made.passages(["The fox ran."])[0].ids
    assert ids == texts().passages(["The fox ran."])[0].ids[1:-1]
    with pytest.raises(UserError, match="Nothing is left to predict"):
        made.query(Query("", ids and "T"))


@pytest.mark.parametrize(
    ("prompt", "completion", "want"),
    [
        ("is", "Paris", " Paris"),
        ("is ", "Paris", "Paris"),
        ("is", " Paris", " Paris"),
        ("", "Paris", "Paris"),
    ],
)
def test_one_space_stands_between_prompt_and_completion(prompt, completion, want):
    assert spaced(prompt, completion) == want


def test_a_tokenizer_that_adds_its_own_space_does_not_double_it():
    """SentencePiece's way, in many a tokenizer.json: a passage and a query of the same words have the same tokens."""
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    words = [word for text in tiny.TEXTS for word in text.split()]
    inner.train_from_iterator(words, trainers.BpeTrainer(special_tokens=["<s>", "</s>"], show_progress=False))
    made = Texts(PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>"), 48)
    query = Query("The capital of France is", "Paris, and Paris lies", span=(11, 16))
    whole = made.passages([f"{query.prompt} {query.completion}"])[0].ids[:-1]
    assert made.query(query).ids == whole
    located = made.located_query(query)
    joined = f"{query.prompt} {query.completion}"
    assert [joined[slice(*located.offsets[at])].strip() for at in located.example.targets] == ["Paris"]


def test_the_border_between_prompt_and_completion_is_stable():
    """Tokenised together, the prompt's last token might swallow the completion's first letters."""
    made = texts()
    example = made.query(Query("The capital of Fr", "ance"))
    assert example.ids == (*made.prompt("The capital of Fr"), *made.completion("The capital of Fr", "ance"))
    assert example.targets[0] == len(made.prompt("The capital of Fr"))


def test_a_long_prompt_loses_its_beginning_and_keeps_its_start_token():
    made = texts(context=20)
    example = made.query(Query(" ".join(tiny.TEXTS), "Paris"))
    assert len(example.ids) == 20
    assert example.ids[0] == 0
    assert example.ids[-len(made.completion("x", "Paris")) :] == made.completion("x", "Paris")
    located = made.located_query(Query(" ".join(tiny.TEXTS), "Paris"))
    assert len(located.offsets) == 20
    joined = " ".join(tiny.TEXTS) + " Paris"
    assert "".join(joined[a:b] for a, b in located.offsets[1:]) == joined[located.offsets[1][0] :]


def test_a_span_keeps_only_the_tokens_it_touches():
    made = texts()
    whole = Query("Two and three make", "five. The fox ran.")
    part = made.query(Query(whole.prompt, whole.completion, span=(10, 13)))
    located = made.located_query(whole)
    joined = "Two and three make five. The fox ran."
    touched = [joined[slice(*located.offsets[at])] for at in part.targets]
    assert "fox" in "".join(touched)
    assert len(part.targets) < len(made.query(whole).targets)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (Query("The fox", ""), "completion is empty"),
        (Query("The fox", "ran " * 50), "tokens, the model's context"),
        (Query("The fox", "ran", span=(2, 9)), "not within"),
        (Query("The fox", "ran", span=(2, 2)), "not within"),
    ],
)
def test_queries_that_cannot_be_traced_say_why(query, message):
    with pytest.raises(UserError, match=message):
        texts().query(query)
