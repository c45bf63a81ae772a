"""Buckets of a fact's frequency are said in words, whatever an address or a file calls them."""

import pytest

from app.web.browsing.listing_words import bucket_name
from app.web.judging.evaluation_lines import _count


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
