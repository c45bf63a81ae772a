"""Charts are told apart without their key being guessed."""

from app.web.judging.charts import line_swatch


def test_thirty_six_lines_look_different() -> None:
    """A reader may tick as many runs as there are: the seventh line looked exactly like the first."""
    assert len({line_swatch(number, "method-bm25") for number in range(36)}) == 36
