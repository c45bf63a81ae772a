"""A stored prompt as a question of training without passages: its text may be whatever the web holds."""

import pytest

from app.errors import UserError
from app.tracing.questions import MAX_CHARACTERS
from app.tracing.without import AskedOf


def test_half_a_character_is_read_as_a_model_reads_it() -> None:
    """A model of fields that are bounded refuses it otherwise, and the page broke."""
    asked = AskedOf.stored("a\ud800", "x\ud83d and", " y\udfff")
    assert (asked.id, asked.prompt, asked.completion) == ("a\ufffd", "x\ufffd and", " y\ufffd")


@pytest.mark.parametrize(("prompt", "completion"), [("x" * (MAX_CHARACTERS + 1), "y"), ("x", ""), ("", "y")])
def test_what_no_question_may_be_is_refused_in_words(prompt: str, completion: str) -> None:
    with pytest.raises(UserError, match="characters"):
        AskedOf.stored("a", prompt, completion)
