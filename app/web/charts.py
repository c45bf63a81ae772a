"""Charts as SVG, drawn on the server: pure functions from numbers to markup, coloured by CSS classes only.

Series differ in shape, dash or pattern as well as in hue, so that they can be told apart without colour. Every
chart has a title for screen readers; the page shows the numbers beside it as a table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 44
SHAPES = ("circle", "square", "diamond", "triangle")


@dataclass(frozen=True)
class Point:
    """A labelled point with the half-open intervals of its two values."""

    label: str
    x: float
    y: float
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


def scatter(points: Sequence[Point], x_label: str, y_label: str, title: str) -> Markup:
    """Methods as points with their intervals as crosses."""
    xs = [value for p in points for value in (p.x, *(p.x_range or ()))]
    ys = [value for p in points for value in (p.y, *(p.y_range or ()))]
    across, up = Scale.over(xs, LEFT, WIDTH - RIGHT), Scale.over(ys, HEIGHT - BOTTOM, TOP)
    parts = [_axes(across, up, x_label, y_label)]
    taken: list[tuple[float, float]] = []
    for number, p in enumerate(points):
        x, y = across(p.x), up(p.y)
        if p.x_range:
            parts.append(_line(across(p.x_range[0]), y, across(p.x_range[1]), y, "whisker"))
        if p.y_range:
            parts.append(_line(x, up(p.y_range[0]), x, up(p.y_range[1]), "whisker"))
        parts.append(_marker(x, y, number))
        end = x > WIDTH * 0.66
        label_y = _free(taken, x, y - 8)
        parts.append(_text(x + (-8 if end else 8), label_y, p.label, "end" if end else "start"))
    return _figure(parts, title)


def lines(
    series: Mapping[str, Sequence[tuple[str, float, tuple[float, float] | None]]], y_label: str, title: str
) -> Markup:
    """One line a series over shared, ordered categories: (category, value, interval)."""
    names = list(dict.fromkeys(name for values in series.values() for name, _, _ in values))
    ys = [v for values in series.values() for _, y, r in values for v in (y, *(r or ()))]
    up = Scale.over([0.0, *ys], HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    places = {name: LEFT + step * (at + 0.5) for at, name in enumerate(names)}
    parts = [_axes(None, up, "", y_label)]
    parts += [_text(x, HEIGHT - BOTTOM + 18, name, "middle", "tick") for name, x in places.items()]
    for number, (name, values) in enumerate(series.items()):
        shift = (number - (len(series) - 1) / 2) * 5
        spots = [(places[at] + shift, up(y)) for at, y, _ in values]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        parts.append(Markup('<path class="line hue-{}" d="{}"/>').format(number % 6 + 1, path))
        for (x, y), (_, _, interval) in zip(spots, values, strict=True):
            if interval:
                parts.append(_line(x, up(interval[0]), x, up(interval[1]), f"whisker hue-{number % 6 + 1}"))
            parts.append(_marker(x, y, number))
        parts.append(_legend(number, name))
    return _figure(parts, title, HEIGHT + 20 * math.ceil(len(series) / 3))


def stacked_bars(bars: Sequence[tuple[str, Mapping[str, float]]], kinds: Sequence[str], title: str) -> Markup:
    """Bars of shares, one part a kind; each kind has a shade and a pattern of its own."""
    step = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    up = Scale((0.0, 1.0), HEIGHT - BOTTOM, TOP)
    parts = [_patterns(len(kinds)), _axes(None, up, "rank", "share of prompts")]
    for at, (name, shares) in enumerate(bars):
        total, below = sum(shares.values()) or 1.0, 0.0
        for number, kind in enumerate(kinds):
            share = shares.get(kind, 0) / total
            if share:
                top, bottom = up(below + share), up(below)
                parts.append(
                    Markup(
                        '<rect class="part part-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                        "<title>{}: {:.0%}</title></rect>"
                    ).format(number + 1, LEFT + step * at + 3, top, step - 6, bottom - top, kind, share)
                )
                below += share
        parts.append(_text(LEFT + step * (at + 0.5), HEIGHT - BOTTOM + 16, name, "middle", "tick"))
    return _figure(parts, title)


class Scale:
    """Numbers to pixels, linearly."""

    def __init__(self, domain: tuple[float, float], start: float, end: float) -> None:
        self.domain, self.start, self.end = domain, start, end

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "Scale":
        """A scale with some room around the values."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = (high - low) * 0.08 or abs(high) * 0.1 or 0.5
        floor = low if low == 0 else low - room
        return cls((floor, high + room), start, end)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.domain
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers inside the domain, about five."""
        low, high = self.domain
        raw = (high - low) / 5
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
        first = math.ceil(low / step)
        return [round(n * step, 10) for n in range(first, math.floor(high / step) + 1)]


def _axes(across: Scale | None, up: Scale, x_label: str, y_label: str) -> Markup:
    parts = []
    for tick in up.ticks():
        y = up(tick)
        parts += [
            _line(LEFT, y, WIDTH - RIGHT, y, "grid"),
            _text(LEFT - 7, y + 4, f"{tick:g}", "end", "tick"),
        ]
    if across:
        for tick in across.ticks():
            x = across(tick)
            parts += [
                _line(x, TOP, x, HEIGHT - BOTTOM, "grid"),
                _text(x, HEIGHT - BOTTOM + 16, f"{tick:g}", "middle", "tick"),
            ]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, "middle", "name"))
    parts.append(
        Markup(
            '<text class="name" text-anchor="middle" transform="translate(13 {}) rotate(-90)">{}</text>'
        ).format((TOP + HEIGHT - BOTTOM) / 2, y_label)
    )
    return Markup("").join(parts)


def _marker(x: float, y: float, number: int) -> Markup:
    hue, shape = f"dot hue-{number % 6 + 1}", SHAPES[number % 4]
    if shape == "circle":
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(hue, x, y)
    corners = {
        "square": ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        "diamond": ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
        "triangle": ((0, -5.5), (5, 4), (-5, 4)),
    }[shape]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return Markup('<polygon class="{}" points="{}"/>').format(hue, points)


def _legend(number: int, name: str) -> Markup:
    x, y = LEFT + (number % 3) * 156, HEIGHT + 8 + 20 * (number // 3)
    return _marker(x, y, number) + _text(x + 10, y + 4, name[:22], "start")


def _patterns(count: int) -> Markup:
    """Hatching at a different angle for every second kind."""
    made = [
        Markup(
            '<pattern id="hatch-{0}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate({1})">'
            '<rect width="6" height="6" class="fill-{0}"/><line y2="6" class="hatch"/></pattern>'
        ).format(number + 1, 45 * number)
        for number in range(count)
    ]
    return Markup("<defs>{}</defs>").format(Markup("").join(made))


def _free(taken: list[tuple[float, float]], x: float, y: float) -> float:
    """A height for a label that no label nearby has."""
    while any(abs(x - other) < 120 and abs(y - height) < 13 for other, height in taken):
        y += 13
    taken.append((x, y))
    return y


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        kind, x1, y1, x2, y2
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "label") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )


def _figure(parts: Sequence[Markup], title: str, height: int = HEIGHT) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, escape(title), Markup("").join(parts)
    )
