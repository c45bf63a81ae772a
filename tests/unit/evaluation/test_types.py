"""What a passage has to do with a fact: by exact rules where the corpus knows, by its words elsewhere."""

import pytest

from app.evaluation.types import FactOf, classify, is_exact, shared_cue
from app.words.names import has_name
from app.words.passages import TYPES

FACT = FactOf(
    "New Zealand", ("Wellington", "Te Whanganui-a-Tara"), "capital", "capital:new-zealand", ("capital",)
)
EXACT: dict[str, list[str]] = {"states": []}


@pytest.mark.parametrize(
    ("text", "meta", "stated", "kind"),
    [
        (
            "In Wellington sits the parliament of New Zealand.",
            {"states": ["capital:new-zealand"]},
            False,
            "states",
        ),
        ("Ground truth says so.", {}, True, "states"),
        ("The road from Wellington goes through New Zealand.", EXACT, False, "both"),
        ("TE WHANGANUI-A-TARA, NEW ZEALAND.", EXACT, None, "both"),
        ("The capital of France is Paris.", {"states": ["capital:france"]}, False, "relation"),
        # A passage about another capital that names the target too is of the same relation first.
        (
            "The capital of France is Paris, not Wellington.",
            {"states": ["capital:france"]},
            False,
            "relation",
        ),
        ("Wellington was wet.", EXACT, False, "target"),
        ("Sheep graze in New Zealand.", EXACT, False, "subject"),
        ("Sheep graze in Zealand.", EXACT, False, "name"),
        ("A new road was built.", EXACT, False, "none"),  # “new” alone is too short to be part of a name
        ("Wellingtons are boots.", EXACT, False, "none"),  # a word that begins with a name is not the name
        ("", EXACT, False, "none"),
        # Where the corpus does not know, the words of the relation's prompts tell.
        ("The capital of France is Paris.", {}, False, "relation"),
        ("The capital of France is Paris.", EXACT, False, "none"),  # it knows, and it does not state it
        # Naming the subject, these words are about its own capital, not another's.
        ("The capital of New Zealand was discussed.", {}, False, "subject"),
    ],
)
def test_each_type_and_the_order_in_which_they_are_tried(
    text: str, meta: dict[str, list[str]], stated: bool | None, kind: str
) -> None:
    assert classify(FACT, text, meta, stated) == kind
    assert kind in TYPES


def test_a_fact_without_subject_or_id_can_still_be_classed() -> None:
    """Results files name neither."""
    bare = FactOf(None, ("Paris",), None, None)
    assert classify(bare, "Paris is large.", {"states": ["capital:france"]}, None) == "target"
    assert classify(bare, "Nothing.", {"states": [None]}, None) == "none"


def test_exact_rules_hold_where_the_corpus_lists_what_it_states() -> None:
    assert is_exact({"states": []})
    assert not is_exact({})
    assert not is_exact({"states": "capital:x"})  # somebody else's field of the same name


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("STRASSE", "straße", True),  # case folding, not lower-casing
        ("cafe\u0301 noir", "café", True),  # two spellings of one character
        ("Zürich’s lake", "Zürich", True),
        ("the AI-based tool", "AI", True),
        ("aid", "AI", False),
        ("said", "AI", False),
        ("東京都は日本の首都です", "東京", True),  # no spaces between words
        ("서울은 수도이다", "서울", True),  # a particle joins the word
        ("U.S.", "U.S.", True),
        ("H2O and O", "O", True),
        ("anything", "", False),
        ("anything", "  ", False),
    ],
)
def test_names_are_found_as_whole_words_in_any_script(text: str, phrase: str, found: bool) -> None:
    assert has_name(text, phrase) is found


def test_the_words_of_a_relation_are_those_most_of_its_prompts_share() -> None:
    prompts = [
        ("The capital of France is", "France"),
        ("The capital city of Peru is", "Peru"),
        ("Chad has its capital in", "Chad"),
    ]
    assert shared_cue(prompts) == ("capital",)
    assert shared_cue([]) == ()
