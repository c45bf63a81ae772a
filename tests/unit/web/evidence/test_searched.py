"""What a list was searched for is said wherever two answers are in question; so is which probability holds the other."""

import pytest

from app.web.evidence.searched import containing, included, searched_for


@pytest.mark.parametrize("method", ["trackstar", "gradient-dot", "trackstar+ekfac"])
def test_a_contrast_is_said_as_what_it_is(method: str) -> None:
    said = searched_for(method, "Asia", " Africa", "Africa")
    assert said.endswith("ranks passages by how they make “Asia” likelier than “Africa”.")


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("bm25", "BM25 searches for the words of the prompt and “Asia”"),
        ("dense", "Dense searches for what means nearly the same as the prompt and “Asia”"),
        ("random", "These passages were not searched for"),
        ("exp2", "The file has one list for “Asia”"),
        ("trackstar", "TrackStar ranked passages for “Asia” alone"),
    ],
)
def test_a_method_that_cannot_contrast_says_what_it_searched_for(method: str, how: str) -> None:
    """BM25's page of a mistake was headed as if it told why that and not the truth."""
    assert searched_for(method, "Asia", None, "Africa") == (
        f"{how}: this list does not say why that, and not “Africa”."
    )
    assert searched_for(method, "Asia", None, None) == "", "right, or nobody knows: there is one text"


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("thirty-six", "thirty", ("thirty", "thirty-six")),
        ("Czech", "Czech Republic", ("Czech", "Czech Republic")),
        ("Guinea-Bissau", " Guinea", ("Guinea", "Guinea-Bissau")),
        ("3", "3.5", ("3", "3.5")),
        ("Niger", "Nigeria", None),  # one token each, as likely as not: neither is a part of the other
        ("東京", "東京都", None),
        ("six", "thirty-six", None),
        ("Paris", "paris is", None),
        ("Rome", "Rome", None),
        ("", "Rome", None),
    ],
)
def test_one_answer_that_begins_with_the_other_is_part_of_it(
    first: str, second: str, found: tuple[str, str] | None
) -> None:
    """“Five times six”: thirty-six 51 %, thirty 80 %. A reader added them up."""
    assert containing(first, second) == containing(second, first) == found
    said = included(first, None, second)
    assert bool(said) == (found is not None)
    if found:
        shorter, longer = found
        assert said.endswith(f"so the probability of “{shorter}” includes that of “{longer}”.")
