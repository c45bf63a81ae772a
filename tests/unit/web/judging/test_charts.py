"""Charts are told apart without their key being guessed."""

import pytest

from app.web.judging.charts import line_swatch
from app.web.judging.charts_parts import Scale, up_axis


def test_thirty_six_lines_look_different() -> None:
    """A reader may tick as many runs as there are: the seventh line looked exactly like the first."""
    assert len({line_swatch(number, "method-bm25") for number in range(36)}) == 36


@pytest.mark.parametrize(
    ("domain", "ticks", "named"),
    [
        ((0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"], "score<"),
        ((-40.0, 60.0), ["−40", "−20", "0", "20", "40", "60"], "score<"),
        ((0.0, 5e-8), ["0", "1", "2", "3", "4", "5"], "score (10⁻⁸)<"),
        ((0.0, 5e-13), ["0", "1", "2", "3", "4", "5"], "score (10⁻¹³)<"),
        ((0.0, 2e7), ["0", "0.5", "1", "1.5", "2"], "score (10⁷)<"),
    ],
)
def test_ticks_are_short_whatever_they_count(
    domain: tuple[float, float], ticks: list[str], named: str
) -> None:
    """Gradients' products are as small as 10⁻⁸ and as large as 10⁷: written out at each tick they stood over the axis's name."""
    scale = Scale(domain, 0, 100)
    assert [scale.told(tick) for tick in scale.ticks()] == ticks
    assert named in up_axis(scale, "score")
