"""What a model said, up to the end of its clause, judged at a word's end."""

import pytest

from app.runs.answers import is_right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (" Paris", True),
        ("paris, as ever", True),
        ("Parisian", False),
        ("The Paris", False),
        ("City of Light", True),
    ],
)
def test_right_is_judged_at_a_words_end(answer: str, right: bool) -> None:
    """A longer word that begins like the target is another word; an alias is as good as the target."""
    assert is_right(answer, ["Paris", "city of light"]) is right
