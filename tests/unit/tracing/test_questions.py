"""What may be asked: everything else is refused at its field, before anything is saved."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from app.errors import UserError
from app.settings import Settings
from app.tracing.catalog import askables, choose, default_index
from app.tracing.checking import checked
from app.tracing.questions import MAX_CHARACTERS, Question, StepRequest, check_text, key_of
from tests.support.asking import CONTEXT, made_home, settings_of


@pytest.fixture(scope="module")
def settings() -> Settings:
    return settings_of(made_home())


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """A copy of the home without weights and encodings, to damage."""
    shutil.copytree(
        made_home(), tmp_path / "home", ignore=shutil.ignore_patterns("*.safetensors", "*.npy", "*.db*")
    )
    return settings_of(tmp_path / "home")


def refusal(settings: Settings, **asked: object) -> UserError:
    question = Question(**{"prompt": "The currency of Ghana is the"} | asked)
    with pytest.raises(UserError) as refused:
        checked(question, choose(settings, model=question.model, index=question.index))
    return refused.value


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_refused_at_the_prompt(settings: Settings, prompt: str) -> None:
    assert refusal(settings, prompt=prompt).field == "prompt"


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x85", "\ud800"])
@pytest.mark.parametrize("field", ["prompt", "completion", "contrast"])
def test_what_cannot_be_seen_is_refused_where_it_stands(
    settings: Settings, field: str, character: str
) -> None:
    """A reader of the permalink could not see what was asked; PostgreSQL could not even keep it."""
    asked = {"completion": "cedi"} | {field: f"ab{character}cd"}
    error = refusal(settings, **asked)
    assert error.field == field
    assert f"U+{ord(character):04X}" in error.message
    assert "position 3" in error.message


def test_tabs_and_line_breaks_are_text(settings: Settings) -> None:
    assert check_text("a\tb\r\nc\rd", "prompt", "prompt") == "a\tb\nc\nd"


def test_a_prompt_longer_than_the_context_says_how_long_it_may_be(settings: Settings) -> None:
    """The encoder would cut its beginning off and answer another question."""
    error = refusal(settings, prompt="word " * 200)
    assert error.field == "prompt"
    assert str(CONTEXT) in error.message


def test_the_longest_prompt_that_fits_is_taken(settings: Settings) -> None:
    askable = choose(settings)
    prompt = "a"
    while len(askable.ids(prompt + " a") or ()) <= CONTEXT - 2:  # the start token, and one token of an answer
        prompt += " a"
    assert checked(Question(prompt=prompt), askable).prompt == prompt
    assert refusal(settings, prompt=prompt + " a").field == "prompt"
    assert checked(Question(prompt=prompt, completion="b"), askable).completion == "b"
    assert refusal(settings, prompt=prompt, completion="b b b").field == "completion"


def test_megabytes_are_refused_before_anybody_tokenizes_them(settings: Settings) -> None:
    error = refusal(settings, prompt="a" * (MAX_CHARACTERS + 1))
    assert error.field == "prompt"
    assert "20,001 characters" in error.message


def test_a_completion_of_no_tokens_is_refused(own: Settings) -> None:
    """A tokenizer without bytes to fall back on drops what it does not know: there would be nothing to explain."""
    narrow = Tokenizer(models.BPE({"t": 0, "h": 1, "e": 2}, []))
    narrow.save(str(own.models / "demo" / "tokenizer.json"))
    error = refusal(own, prompt="the", completion="???")
    assert error.field == "completion"
    assert "makes nothing" in error.message


def test_an_empty_completion_is_not_a_missing_one(settings: Settings) -> None:
    assert refusal(settings, completion="").field == "completion"
    assert checked(Question(prompt="The"), choose(settings)).completion is None


@pytest.mark.parametrize("span", [(0, 0), (3, 2), (-1, 2), (0, 5), (4, 9)])
def test_a_span_must_lie_in_the_completion(settings: Settings, span: tuple[int, int]) -> None:
    assert refusal(settings, completion="cedi", span=span).field == "span"


def test_a_span_or_a_contrast_needs_a_completion(settings: Settings) -> None:
    assert refusal(settings, span=(0, 2)).field == "span"
    assert refusal(settings, contrast="dollar").field == "contrast"


def test_a_contrast_with_itself_explains_nothing(settings: Settings) -> None:
    assert refusal(settings, completion="cedi", contrast="cedi").field == "contrast"


def test_unknown_names_are_refused_with_the_known_ones(settings: Settings) -> None:
    for field, name in (("model", "nosuch"), ("index", "nosuch"), ("index", "../demo"), ("index", "a\0b")):
        error = refusal(settings, **{field: name})
        assert error.field == field
        assert "demo" in error.remedy


def test_an_index_of_another_model_is_refused(own: Settings) -> None:
    shutil.copytree(own.models / "demo", own.models / "other")
    error = refusal(own, model="other", index="demo")
    assert error.field == "index"
    assert "built for the model “demo”" in error.message
    assert refusal(own, model="other").field == "model"  # nothing was built for it


def test_where_nobody_chose_the_index_that_is_here_is_asked(own: Settings) -> None:
    """The worker of a home without “demo” ended over and over, and its site answered nothing; a name that was set is kept."""
    (own.indexes / "demo").rename(own.indexes / "orvella")
    assert choose(own).index == default_index(own) == "orvella"
    shutil.copytree(own.indexes / "orvella", own.indexes / "a")
    assert default_index(own) == "a"
    (own.indexes / "a" / "manifest.json").write_text("{")
    assert choose(own).index == "orvella", "one that cannot be read is not what is chosen"
    with pytest.raises(UserError, match="no index “demo”"):
        choose(own, hidden={"demo"})  # its corpus, to whom it is not shown
    told = settings_of(own.home, default_index="demo")
    assert default_index(told) == "demo"
    assert refusal(told).field == "index"


def test_a_damaged_manifest_is_named_and_left_out_of_the_choice(own: Settings) -> None:
    shutil.copytree(own.indexes / "demo", own.indexes / "broken")
    (own.indexes / "broken" / "manifest.json").write_text("{")
    assert "manifest" in str(refusal(own, index="broken"))
    assert [each.index for each in askables(own)] == ["demo"]


def test_an_index_built_again_is_another_index(own: Settings) -> None:
    """An answer from the store must be one of this index, not of one that bore its name."""
    before = choose(own).index_sha256
    file = own.indexes / "demo" / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps(manifest | {"row_scale": 2.0}))
    assert choose(own).index_sha256 != before


def test_a_completion_is_joined_as_it_was_typed(settings: Settings) -> None:
    """`edi` goes on inside a word and ` edi` begins one: they are two texts, and neither is put for the other."""
    askable = choose(settings)
    for completion in ("edi", " edi", ", said", "  edi"):
        assert checked(Question(prompt="The c", completion=completion), askable).completion == completion


def test_tokens_that_the_tokenizer_would_make_too_are_not_said_twice(settings: Settings) -> None:
    """Equal questions have an equal key, whether or not somebody named the tokens."""
    askable = choose(settings)
    tokens = askable.ids(" cedi", continuing=True)
    asked = Question(prompt="The", completion=" cedi", tokens=tokens)
    assert checked(asked, askable) == checked(Question(prompt="The", completion=" cedi"), askable)
    pieces = [i for letter in " cedi" for i in askable.ids(letter, continuing=True) or ()]
    asked = asked.model_copy(update={"tokens": tuple(pieces)})
    assert checked(asked, askable).tokens == tuple(pieces)


@pytest.mark.parametrize("tokens", [(5, 6, 7), (), (10**6,), (-1,)])
def test_tokens_that_say_something_else_are_refused(settings: Settings, tokens: tuple[int, ...]) -> None:
    assert refusal(settings, completion=" cedi", tokens=tokens).field == "tokens"


def test_the_limit_is_the_smaller_of_the_models_and_its_tokenizers(own: Settings) -> None:
    file = own.models / "demo" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 10}))
    assert choose(own).context == 10
    assert "reads 10." in refusal(own, prompt="word " * 20).message


def test_a_tokenizer_that_would_cut_texts_counts_all_of_them(own: Settings) -> None:
    """Some tokenizer.json files carry the truncation they were trained with: a long prompt would seem to fit."""
    file = own.models / "demo" / "tokenizer.json"
    cutting = Tokenizer.from_file(str(file))
    cutting.enable_truncation(5)
    cutting.save(str(file))
    assert refusal(own, prompt="word " * 200).field == "prompt"


def test_a_span_of_everything_is_no_span(settings: Settings) -> None:
    askable = choose(settings)
    assert checked(Question(prompt="The", completion="cedi", span=(0, 4)), askable).span is None


def test_keys_are_equal_for_equal_questions_only() -> None:
    hashes = {"model_sha256": "m", "index_sha256": "i"}
    keys = [
        key_of(Question(prompt="a"), **hashes),
        key_of(Question(prompt="a", completion="b"), **hashes),
        key_of(Question(prompt="a", k=5), **hashes),
        key_of(Question(prompt="a"), model_sha256="m", index_sha256="other"),
        key_of(Question(prompt="a"), model_sha256="other", index_sha256="i"),
        key_of(StepRequest(trace="t", passages=(1, 2)), **hashes),
        key_of(StepRequest(trace="t", passages=(2, 1)), **hashes),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key) <= 64 for key in keys)  # the width of its column
    assert key_of(Question(prompt="a"), **hashes) == keys[0]


@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60))
def test_any_visible_text_is_taken_as_it_is(text: str) -> None:
    """A question is never changed in silence."""
    if text.strip():
        assert check_text(text, "prompt", "prompt") == text
