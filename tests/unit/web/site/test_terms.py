"""The field's terms where they stand in a sentence of ours: each leads to its meaning, once, and nothing else does."""

import re

import pytest
from bs4 import BeautifulSoup

from app.web.site.terms import with_terms
from app.words.glossary import SPELLINGS, TERMS
from app.words.methods import METHODS


def links(text: str) -> dict[str, str]:
    page = BeautifulSoup(str(with_terms(text)), "html.parser")
    assert page.get_text() == text
    return {link.get_text(): str(link["href"]) for link in page.select("a.term")}


def test_every_spelling_is_explained_and_of_one_term() -> None:
    assert SPELLINGS.keys() <= TERMS.keys()
    every = [spelling for spellings in SPELLINGS.values() for spelling in spellings]
    assert len(set(every)) == len(every)
    for term, spellings in SPELLINGS.items():
        assert [links(each) for each in spellings] == [{each: f"/glossary#{term}"} for each in spellings]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Means with 95% intervals over the prompts.", ["95% intervals"]),
        ("mixing rank", ["mixing rank"]),  # not “mixing” with a rest
        ("MRR here and MRR there", ["MRR"]),
        ("a subgroup of groups-of-eight", []),
        ("<b>AIS</b> & co", ["AIS"]),
        ("nothing of the kind", []),
    ],
)
def test_the_first_place_of_a_term_is_a_link(text: str, terms: list[str]) -> None:
    assert list(links(text)) == terms


def test_what_methods_say_of_themselves_is_explained_where_it_is_the_fields_word() -> None:
    """Whitened, second moments, projected: the page of methods said these and left it there."""
    words = re.compile(r"second moments|whitened|autocorrelation|EK-FAC|dot product|cosine")
    said = [method.sentence for method in METHODS.values() if words.search(method.sentence)]
    assert len(said) > 5
    assert all(links(sentence) for sentence in said)
