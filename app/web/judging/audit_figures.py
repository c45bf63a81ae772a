"""The chart of an audit: how self-influence is spread over a corpus, and where its first passages lie. Pure."""

from markupsafe import Markup

from app.evaluation.audited import Spread
from app.web.judging.charts_parts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    across_axis,
    figure,
    line,
    text,
    up_axis,
)
from app.web.judging.figures import Figure, LegendKey, Value
from app.web.site import urls

NAME, TITLE = "spread", "Self-influence over the corpus"
ALL, FIRST = "shade-4", "shade-1"  # classes of `static/charts.css`


def spread(found: Spread, least: float | None, first: int, page: str) -> Figure:
    """Bars of how many passages have which self-influence.

    Args:
        least: the lowest power of ten among the first passages, from which on bars are marked; None: none are known.
        first: how many these are.
    """
    bars = list(zip(found.edges, found.edges[1:], found.counts, strict=False))
    marked = [least is not None and high > least for _, high, _ in bars]
    rows: list[list[Value]] = [[low, high, count] for low, high, count in bars]
    keys = [LegendKey(label="passages", swatch=_swatch(ALL))]
    if least is not None:
        keys.append(LegendKey(label=f"from the first {first:,} on", swatch=_swatch(FIRST)))
    return Figure(
        id=NAME,
        title=TITLE,
        note="Across, powers of ten; up, how many passages. What stands far to the right was learned by itself, helped by"
        " no other passage.",
        columns=["from, power of ten", "to", "passages"],
        rows=rows,
        links=[["", "", ""] for _ in rows],
        csv_url=urls.twin(page, "csv"),
        keys=keys,
        svg=_drawn(bars, marked, least),
    )


def _drawn(bars: list[tuple[float, float, int]], marked: list[bool], least: float | None) -> Markup:
    up = Scale((0.0, max((count for *_, count in bars), default=1) * 1.06), HEIGHT - BOTTOM, TOP)
    across = Scale.over([edge for low, high, _ in bars for edge in (low, high)], LEFT, WIDTH - RIGHT)
    parts = [up_axis(up, "passages"), across_axis(across, "self-influence, power of ten")]
    for (low, high, count), own in zip(bars, marked, strict=True):
        if not count:
            continue
        # A bar of one passage beside one of thousands is still seen.
        top = min(up(count), HEIGHT - BOTTOM - 1.5)
        parts.append(
            Markup('<rect class="part {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                FIRST if own else ALL,
                across(low),
                top,
                max(1.0, across(high) - across(low)),
                HEIGHT - BOTTOM - top,
            )
        )
    if least is not None:
        parts += [
            line(across(least), TOP, across(least), HEIGHT - BOTTOM, "whisker"),
            text(across(least) - 4, TOP + 9, "the first from here", "end", "tick"),
        ]
    counted = sum(count for *_, count in bars)
    said = f"{counted:,} passages, most of them between {_mode(bars)}." if bars else "No passage."
    return figure(parts, NAME, TITLE, said)


def _mode(bars: list[tuple[float, float, int]]) -> str:
    low, high, _ = max(bars, key=lambda bar: bar[2])
    return f"10^{low:.2f} and 10^{high:.2f}"


def _swatch(shade: str) -> Markup:
    return Markup(
        '<svg class="swatch" viewBox="0 0 16 14" width="16" height="14" aria-hidden="true">'
        '<rect class="part {}" width="16" height="14"/></svg>'
    ).format(shade)
