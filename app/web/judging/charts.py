"""Charts as SVG, drawn on the server: pure functions from numbers to markup, coloured by CSS classes only.

Series differ in shape and dash, parts in hatching, points by a letter, as well as in the colour of their method, so
that they can be told apart without it. Names stand in a key beside the chart, where they have room on a phone too.
Every chart has a title and a description; the page shows its numbers as a table.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.web.judging.charts_parts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    across_axis,
    badge,
    by_logarithm,
    drawn_as,
    figure,
    hatching,
    line,
    marker,
    text,
    up_axis,
    with_room,
)
from app.words.cutting import cut

LYING = 84  # pixels left of lying bars, for what each is of
Interval = tuple[float, float]
Series = Mapping[str, Sequence[tuple[str, float, Interval | None]]]  # name -> (category, value, interval)
Colours = Mapping[
    str, str
]  # name of a series -> the class that has its colour (`app.words.method.Method.css`)


@dataclass(frozen=True)
class Point:
    """A point with the intervals of its two values; `colour` is a class."""

    label: str
    colour: str
    x: float
    y: float
    x_range: Interval
    y_range: Interval


def scatter(points: Sequence[Point], *, x_label: str, y_label: str, name: str, title: str) -> Markup:
    """Points with their intervals as crosses, each with the letter that the key gives its label."""
    xs = [value for p in points for value in (p.x, *p.x_range)]
    ys = [value for p in points for value in (p.y, *p.y_range)]
    across, up = Scale.over(xs, LEFT, WIDTH - RIGHT), Scale.over(ys, HEIGHT - BOTTOM, TOP)
    parts = [up_axis(up, y_label), across_axis(across, x_label)]
    spots = [(across(p.x), up(p.y)) for p in points]
    for p, (x, y) in zip(points, spots, strict=True):
        parts.append(line(across(p.x_range[0]), y, across(p.x_range[1]), y, "whisker"))
        parts.append(line(x, up(p.y_range[0]), x, up(p.y_range[1]), "whisker"))
    parts += [
        Markup('<circle class="point {}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(p.colour, x, y)
        for p, (x, y) in zip(points, spots, strict=True)
    ]
    for number, (spot, place) in enumerate(zip(spots, _beside(spots), strict=True)):
        parts += [line(*spot, *place, "leader"), badge(*place, letter(number))]
    said = "; ".join(f"{letter(n)}, {p.label}: {p.x:.3f} and {p.y:.3f}" for n, p in enumerate(points))
    return figure(parts, name, title, f"{x_label} across, {y_label} up. {said}.")


def lines(
    series: Series,
    colours: Colours,
    *,
    x_label: str,
    y_label: str,
    name: str,
    title: str,
    order: Sequence[str] = (),
    numbers: Mapping[str, float] | None = None,
) -> Markup:
    """One line a series over shared categories, in the `order` given or that of their coming: evenly, or, where they are
    `numbers`, at the logarithms of these."""
    found = _categories(series)
    names = [each for each in order if each in found] or found
    ys = [v for values in series.values() for _, y, r in values for v in (y, *(r or ()))]
    up = Scale.over([0.0, *ys], HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    places = {each: LEFT + step * (at + 0.5) for at, each in enumerate(names)}
    if numbers:
        places = by_logarithm({each: numbers[each] for each in names})
    parts = [up_axis(up, y_label), text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 7, x_label, "middle", "name")]
    parts += [
        text(places[each], HEIGHT - BOTTOM + 15, _short(each), "middle", "tick") for each in with_room(places)
    ]
    for number, (own, values) in enumerate(series.items()):
        drawn = drawn_as(number, colours[own])
        shift = (number - (len(series) - 1) / 2) * min(4.0, step / (len(series) + 1))
        spots = [(places[at] + shift, up(y)) for at, y, _ in values]
        for (x, _), (_, _, interval) in zip(spots, values, strict=True):
            if interval:
                parts.append(line(x, up(interval[0]), x, up(interval[1]), f"whisker {drawn}"))
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        parts.append(Markup('<path class="line {}" d="{}"/>').format(drawn, path))
        parts += [marker(x, y, number, colours[own]) for x, y in spots]
    return figure(parts, name, title, _said(series))


def dots(
    series: Series, colours: Colours, *, x_label: str, name: str, title: str, near: bool = False
) -> Markup:
    """One row a category, one marker with its interval a series: for categories without an order.

    Args:
        near: the axis holds the values alone and does not begin at zero: for what lies close together.
    """
    names = _categories(series)
    values = [v for own in series.values() for _, y, r in own for v in (y, *(r or ()))]
    row = 20 + 8 * len(series)
    bottom = TOP + row * max(1, len(names))
    across = Scale.over(values if near else [0.0, *values], 14, WIDTH - RIGHT)
    parts = [across_axis(across, x_label, TOP, bottom)]
    for at, category in enumerate(names):
        parts += [
            line(14, TOP + row * at, WIDTH - RIGHT, TOP + row * at, "grid"),
            text(14, TOP + row * at + 12, cut(category, 40), "start"),
        ]
        for number, (own, values_of) in enumerate(series.items()):
            for _, value, interval in (each for each in values_of if each[0] == category):
                y = TOP + row * at + 21 + 8 * number
                if interval:
                    ends = across(interval[0]), across(interval[1])
                    parts.append(line(ends[0], y, ends[1], y, f"whisker {drawn_as(number, colours[own])}"))
                parts.append(marker(across(value), y, number, colours[own]))
    return figure(parts, name, title, _said(series), bottom + BOTTOM)


def stacked_bars(
    bars: Sequence[tuple[str, Mapping[str, float]]], *, x_label: str, name: str, title: str
) -> Markup:
    """Bars of shares, one part a kind in the kinds' own order; each kind has a shade and a hatching of its own."""
    kinds = list(dict.fromkeys(kind for _, shares in bars for kind in shares))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    up = Scale((0.0, 1.0), HEIGHT - BOTTOM, TOP)
    parts = [
        hatching(f"{name}-part", len(kinds)),
        up_axis(up, "share"),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 7, x_label, "middle", "name"),
    ]
    said = []
    for at, (label, shares) in enumerate(bars):
        for number, kind, start, share in _stacked(shares, kinds):
            top, bottom = up(start + share), up(start)
            parts.append(
                Markup(
                    '<rect class="part" fill="url(#{}-part-{})" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                    "<title>{} {}, {}: {:.0%}</title></rect>"
                ).format(
                    name,
                    number,
                    LEFT + step * at + 2,
                    top,
                    step - 4,
                    bottom - top,
                    x_label,
                    label,
                    kind,
                    share,
                )
            )
        parts.append(text(LEFT + step * (at + 0.5), HEIGHT - BOTTOM + 15, label, "middle", "tick"))
        said.append(f"{x_label} {label}: {_shares_said(shares)}")
    return figure(parts, name, title, "; ".join(said) + ".")


def stacked_rows(
    groups: Sequence[tuple[str, Sequence[tuple[str, Mapping[str, float]]]]],
    *,
    x_label: str,
    name: str,
    title: str,
) -> Markup:
    """Lying bars of shares, a few under each heading; parts as in `stacked_bars`. Nothing for no groups."""
    if not groups:
        return Markup("")
    kinds = list(dict.fromkeys(kind for _, bars in groups for _, shares in bars for kind in shares))
    across = Scale((0.0, 1.0), LYING, WIDTH - RIGHT)
    made, said, y = [], [], float(TOP)
    for heading, bars in groups:
        made.append(text(0, y + 10, cut(heading, 60), "start"))
        y += 16
        for label, shares in bars:
            made.append(text(LYING - 6, y + 12, label, "end", "tick"))
            for number, kind, start, share in _stacked(shares, kinds):
                left, right = across(start), across(start + share)
                made.append(
                    Markup(
                        '<rect class="part" fill="url(#{}-part-{})" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="16">'
                        "<title>{}, {}: {}: {:.0%}</title></rect>"
                    ).format(name, number, left, y, right - left, heading, label, kind, share)
                )
            said.append(f"{heading}, {label}: {_shares_said(shares)}")
            y += 19
        y += 7
    parts = [hatching(f"{name}-part", len(kinds)), across_axis(across, x_label, TOP, y), *made]
    return figure(parts, name, title, "; ".join(said) + ".", y + BOTTOM)


def _stacked(shares: Mapping[str, float], kinds: Sequence[str]) -> Iterator[tuple[int, str, float, float]]:
    """The parts of one bar that there are: number of the kind from 1, kind, where it begins of 0 to 1, and its share."""
    total, start = sum(shares.values()) or 1.0, 0.0
    for number, kind in enumerate(kinds, 1):
        if share := shares.get(kind, 0) / total:
            yield number, kind, start, share
            start += share


def _shares_said(shares: Mapping[str, float]) -> str:
    total = sum(shares.values()) or 1.0
    return ", ".join(f"{kind} {n / total:.0%}" for kind, n in shares.items() if n)


def letter(number: int) -> str:
    """A, B, … Z, AA, AB, …"""
    return (letter(number // 26 - 1) if number >= 26 else "") + chr(65 + number % 26)


def letter_swatch(number: int) -> Markup:
    """A point's letter, for the key."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 18 18" width="18" height="18" aria-hidden="true">{}</svg>'
    ).format(badge(9, 9, letter(number)))


def line_swatch(number: int, colour: str) -> Markup:
    """A series' dash, marker and colour, for the key."""
    return Markup(
        '<svg class="swatch chart-key" viewBox="0 0 30 14" width="30" height="14" aria-hidden="true">'
        '<path class="line {}" d="M1 7L29 7"/>{}</svg>'
    ).format(drawn_as(number, colour), marker(15, 7, number, colour))


def part_swatch(number: int, name: str) -> Markup:
    """A part's shade and hatching, for the key; `name` is the chart's."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 16 14" width="16" height="14" aria-hidden="true">'
        '<rect class="part" fill="url(#{}-part-{})" width="16" height="14"/></svg>'
    ).format(name, number + 1)


def _beside(spots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A place for each letter, near its point and clear of the other letters and points."""
    placed: list[tuple[float, float]] = []
    for spot in spots:
        candidates = [
            (spot[0] + radius * math.cos(turn), spot[1] + radius * math.sin(turn))
            for radius in (15, 24, 34, 46)
            for turn in (-0.8, -2.35, 0.8, 2.35, 0.0, math.pi, -math.pi / 2, math.pi / 2)
        ]
        inside = [
            (x, y)
            for x, y in candidates
            if LEFT + 9 < x < WIDTH - RIGHT - 2 and TOP - 2 < y < HEIGHT - BOTTOM - 9
        ] or candidates
        others = [*placed, *(each for each in spots if each != spot)]

        def crowding(place: tuple[float, float], others: list[tuple[float, float]] = others) -> float:
            return sum(max(0.0, 18 - math.dist(place, other)) for other in others)

        placed.append(min(inside, key=crowding))
    return placed


def _categories(series: Series) -> list[str]:
    return list(dict.fromkeys(category for values in series.values() for category, _, _ in values))


def _short(words: str) -> str:
    return words if len(words) <= 10 else words[:9] + "…"


def _said(series: Series) -> str:
    parts = (
        f"{name}: " + ", ".join(f"{at} {y:.3f}" for at, y, _ in values) for name, values in series.items()
    )
    return "; ".join(parts) + "."
