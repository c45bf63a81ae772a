"""Files by their names, and the one rule by which nothing is sent twice."""

import pytest
from starlette.requests import Request

from app.web.site.downloads import disposition, etag, known_already


def test_a_file_name_with_any_letters_fits_the_header() -> None:
    said = disposition('gh"ana\r\nX: y ★.csv')
    assert "\n" not in said
    assert said.isascii()
    assert "%E2%98%85" in said


def test_an_etag_changes_with_what_decides_the_answer() -> None:
    assert etag("run", 1) == etag("run", 1) != etag("run", 2)


@pytest.mark.parametrize(
    ("held", "known"),
    [
        ('W/"a"', True),
        ('"a"', True),  # weak comparison: a proxy that compresses may have made it strong
        ('"b", W/"a"', True),
        ("*", True),
        ('W/"ab"', False),
        ('"xW/"a"x"', False),  # the tag inside another one is not the tag
        ("", False),
    ],
)
def test_a_copy_is_current_by_the_rule_of_http(held: str, known: bool) -> None:
    request = Request({"type": "http", "headers": [(b"if-none-match", held.encode())]})
    assert known_already(request, 'W/"a"') is known
