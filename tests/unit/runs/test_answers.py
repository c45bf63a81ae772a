"""What a model said, up to the end of its clause, judged at a word's end."""

import pytest

from app.runs.answers import clause, is_right


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


def test_how_a_story_goes_on_is_kept_whole() -> None:
    assert clause(" to sail, and to sing", "open_ended") == "to sail, and to sing"
    assert clause(" Paris, said Lin", "fact") == "Paris"
