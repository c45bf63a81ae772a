"""The filter language: what it reads, how it refuses, and that its spellings agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import UserError
from app.store.filters import FIELDS, And, Compare, Contains, In, Known, Node, Not, Or, Truth, kept_field
from app.web.browsing.filter_words import PRESETS, in_english, render
from app.web.browsing.filters import MAX_DEPTH, MAX_LENGTH, MAX_TESTS, MAX_VALUES, parse

of = FIELDS
numbers = st.integers(-(10**6), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
number_fields = st.sampled_from([f for f in of.values() if f.kind == "number"])
text_fields = st.sampled_from([f for f in of.values() if f.kind == "text"])
truths = st.builds(Truth, st.sampled_from([f for f in of.values() if f.kind == "boolean"]))
kept = st.lists(st.from_regex(r"[a-z_ é.]{1,8}", fullmatch=True), min_size=1, max_size=3).map(tuple)
kept_tests = (
    st.builds(
        Compare, st.builds(kept_field, kept, st.just("number")), st.sampled_from(["=", "<", ">="]), numbers
    )
    | st.builds(Contains, st.builds(kept_field, kept, st.just("text")), texts)
    | st.builds(Truth, st.builds(kept_field, kept, st.just("boolean")))
    | st.builds(Known, st.builds(kept_field, kept))
)
tests = (
    truths
    | st.builds(
        Compare, number_fields, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), numbers | number_fields
    )
    | st.builds(Compare, text_fields, st.sampled_from(["=", "!="]), texts | text_fields)
    | st.builds(In, number_fields, st.lists(numbers, min_size=1, max_size=3).map(tuple))
    | st.builds(In, text_fields, st.lists(texts, min_size=1, max_size=3).map(tuple))
    | st.builds(Contains, text_fields, texts, st.booleans())
    | st.builds(Contains, text_fields, texts, st.just(False), st.booleans())
    | kept_tests
    | st.builds(Known, st.sampled_from(list(of.values())))
)
nodes: st.SearchStrategy[Node] = st.recursive(
    tests,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(nodes)
@settings(max_examples=300, deadline=None)
def test_what_is_written_back_reads_the_same(node: Node) -> None:
    """A filter travels in the URL: its spelling must never drift from what is shown."""
    assert parse(render(node)) == node


@given(nodes)
@settings(max_examples=100, deadline=None)
def test_every_expression_can_be_said_in_english(node: Node) -> None:
    assert in_english(node).strip()


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused_with_a_column(source: str) -> None:
    """Whatever stands in the URL, the answer is a tree or one clear error."""
    refusals = []
    try:
        parse(source)
    except UserError as error:
        refusals.append(error)
    assert all(e.field == "where" and "column" in e.message and e.remedy for e in refusals)


def test_precedence_is_not_then_and_then_or() -> None:
    correct, stated, known = Truth(of["correct"]), Truth(of["stated"]), Known(of["answer"])
    assert parse("correct or stated and not answer is known") == Or((correct, And((stated, Not(known)))))
    assert parse("(correct or stated) and answer is known") == And((Or((correct, stated)), known))


@pytest.mark.parametrize(
    ("viewer", "ours"),
    [
        ("ex.is_correct && ex.model_confidence > 0.5", "correct and confidence > 0.5"),
        ("ex.c4_frequency_bucket >= 3 || !ex.is_8b_correct", "bucket >= 3 or (not correct or correct is missing)"),
        ("ex.is_8b_correct === false", "not correct"),
        ("ex.relation !== 'capital'", 'relation != "capital" or relation is missing'),
        ('ex.inputs_plaintext.includes("Amsterdam")', 'prompt contains "Amsterdam"'),
        ("ex.relation.startsWith('location')", 'relation starts with "location"'),
        ('ex.task === "arithmetic"', 'task = "arithmetic"'),
        ("ex['8b_confidence'] > 0.5", "confidence > 0.5"),
        ('ex["is_8b_correct"] && ex.proponent_scores[0] >= 0.9', "correct and top_score >= 0.9"),
        ('ex.example_id.endsWith("7")', 'example_id ends with "7"'),
        ('!ex.my_field.includes("x")', 'not ex["my_field"] contains "x"'),
        ("ex.mine.deeper.length == 3", 'ex["mine"]["deeper"]["length"] = 3'),
        ('ex.mine != "a" and ex["mine"] is known', 'ex["mine"] != "a" and ex["mine"] is known'),
        ("ex.flag && !ex['flag two']", 'ex["flag"] and (not ex["flag two"] or ex["flag two"] is missing)'),
    ],
)  # fmt: skip
def test_filters_of_the_papers_viewer_can_be_pasted(viewer: str, ours: str) -> None:
    """Links people already have hold such expressions; they read as ours, without running any code."""
    node = parse(viewer)
    assert node is not None
    assert render(node) == ours


@pytest.mark.parametrize(
    ("source", "column", "help_"),
    [
        ("confidnce > 1", 1, "confidence"),
        ("task = fact", 8, 'in quotes: "fact"'),
        ("confidence > 'high'", 14, "number"),
        ("relation < 'm'", 10, "no order"),
        ("correct and", 12, "Fields:"),
        ("(correct", 9, "Close"),
        ("correct stated", 9, "and, or"),
        ('prompt contains "x', 17, "double quotes"),
        ("0 < confidence < 1", 16, "0.2 < confidence and"),
        ("confidence = null", 14, "is missing"),
        ('ex.proponents.some(p => p.includes("café"))', 3, "search field"),
        ("ex.proponent_correct[0]", 3, "first_correct_rank = 1"),
        ("ex.proponent_scores[1] > 0", 3, "proponent_scores[0]"),
        ("ex.proponent_ais_scores[0] > 0", 3, "best_ais"),
        ("ex.opponent_ids[0]", 3, "top_score"),
        ("ex. > 3", 3, "ex.relation"),
        ("mine > 3", 1, 'ex["mine"]'),
        ("confidence", 11, "confidence >= 0.5"),
        ("prompt.constructor('x')", 8, "contains"),
        ("__import__('os')", 1, "Fields:"),
        ("confidence > 1e999", 14, "smaller"),
        ("prompt = '\\\ud800'", 10, "Leave it out"),
    ],
)
def test_a_mistake_is_pointed_at_with_what_to_write(source: str, column: int, help_: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(source)
    assert f"column {column}:" in caught.value.message
    assert help_ in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "correct" + " " * MAX_LENGTH,
        "not " * (MAX_DEPTH + 1) + "correct",
        "(" * 200 + "correct" + ")" * 200,
        " or ".join(["correct"] * (MAX_TESTS + 1)),
        f"bucket in ({','.join(['1'] * (MAX_VALUES + 1))})",
    ],
)
def test_an_expression_cannot_be_made_to_cost_much(source: str) -> None:
    with pytest.raises(UserError):
        parse(source)


def test_blank_is_no_filter() -> None:
    assert parse("  ") is None
    assert in_english(None) == "prompts"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            'task = "fact" and correct and confidence >= 0.5',
            "facts the model got right with confidence at least 0.5",
        ),
        ("bucket >= 3 and not correct", "prompts the model got wrong with frequency bucket at least 3"),
        ("not stated", "prompts with no passage that states them"),
        ('relation in ("capital", "currency")', "prompts whose relation is one of “capital” or “currency”"),
        ("answer != target", "prompts whose model answer is not their target"),
        ("correct or best_ais is missing", "prompts (the model got right or with no known best AIS score)"),
    ],
)
def test_the_page_says_in_english_what_it_shows(source: str, said: str) -> None:
    assert in_english(parse(source)) == said


def test_presets_are_the_papers_viewers() -> None:
    for preset in PRESETS:
        node = parse(preset.where)
        assert node is not None
        assert render(node) == preset.where
