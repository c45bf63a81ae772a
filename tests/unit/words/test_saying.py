"""Relations are said in words."""

import pytest

from app.words.saying import relation_name


@pytest.mark.parametrize(
    ("relation", "said"),
    [("place_of_birth", "place of birth"), ("P19", "place of birth"), ("P99999999", "P99999999"), (None, "")],
)
def test_a_relation_is_said_in_words(relation: str | None, said: str) -> None:
    """T-REx and the paper's results name relations by Wikidata's numbers, which nobody knows by heart."""
    assert relation_name(relation) == said
