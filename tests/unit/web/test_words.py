"""Names are said as people say them."""

import pytest

from app.web.browsing.listing_words import bucket_name
from app.web.judging.evaluation_lines import _count
from app.words.saying import relation_name


@pytest.mark.parametrize(
    ("relation", "said"),
    [("place_of_birth", "place of birth"), ("P19", "place of birth"), ("P99999999", "P99999999"), (None, "")],
)
def test_a_relation_is_said_in_words(relation: str | None, said: str) -> None:
    """T-REx and the paper's results name relations by Wikidata's numbers, which nobody knows by heart."""
    assert relation_name(relation) == said


@pytest.mark.parametrize(
    ("bucket", "said", "short"),
    [
        ("0", "never", "0"),
        ("1", "once", "1"),
        ("3", "4 to 7 times", "4–7"),
        ("²", "never", "0"),
        ("99999", "bucket 99999", "bucket 99999"),
        ("9" * 5000, f"bucket {'9' * 5000}", f"bucket {'9' * 5000}"),
    ],
)
def test_a_bucket_from_an_address_or_a_file_has_a_name(bucket: str, said: str, short: str) -> None:
    """Two to its power has more digits than Python writes; ² is a digit that int() does not read."""
    assert bucket_name(bucket) == said
    assert _count(bucket) == short
