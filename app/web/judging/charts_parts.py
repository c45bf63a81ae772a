"""What charts are drawn with: scales, axes, markers, hatching. Pure functions from numbers to SVG markup."""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from app.words.saying import power_of_ten

WIDTH, HEIGHT = 380, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 12, 40
SHAPES = ("circle", "square", "diamond", "triangle", "cross", "bar")
_CORNERS = {
    "square": ((-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)),
    "diamond": ((0, -5.2), (5.2, 0), (0, 5.2), (-5.2, 0)),
    "triangle": ((0, -5), (4.8, 3.8), (-4.8, 3.8)),
    "cross": ((-1.4, -5), (1.4, -5), (1.4, -1.4), (5, -1.4), (5, 1.4), (1.4, 1.4), (1.4, 5), (-1.4, 5), (-1.4, 1.4),
              (-5, 1.4), (-5, -1.4), (-1.4, -1.4)),
    "bar": ((-5.5, -2), (5.5, -2), (5.5, 2), (-5.5, 2)),
}  # fmt: skip


class Scale:
    """Numbers to pixels, linearly."""

    def __init__(self, domain: tuple[float, float], start: float, end: float) -> None:
        self.domain, self.start, self.end = domain, start, end

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "Scale":
        """A scale with some room around the values; one that begins at 0 begins there exactly."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = (high - low) * 0.08 or abs(high) * 0.1 or 0.5
        return cls((low if low == 0 else low - room, high + room), start, end)

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
        digits = 2 - math.floor(math.log10(step))
        return [round(n * step, digits) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]

    @property
    def power(self) -> int:
        """The power of ten that its ticks are told in, so that they are short."""
        most = max(map(abs, self.domain))
        return math.floor(math.log10(most)) if 0 < most < 1e-3 or most >= 1e6 else 0

    def told(self, tick: float) -> str:
        """A tick in this power, with a true minus sign."""
        return f"{tick / 10.0**self.power:g}".replace("-", "−")

    def named(self, label: str) -> str:
        """What its axis is called, with the power."""
        return f"{label} ({power_of_ten(self.power)})" if self.power else label


def up_axis(up: Scale, label: str, right: float = WIDTH - RIGHT) -> Markup:
    """Grid lines and numbers of the vertical scale; zero is drawn stronger where values fall below it."""
    parts = []
    for tick in up.ticks():
        y = up(tick)
        strong = " zero" if tick == 0 and up.domain[0] < 0 else ""
        parts += [
            line(LEFT, y, right, y, f"grid{strong}"),
            text(LEFT - 6, y + 3.5, up.told(tick), "end", "tick"),
        ]
    middle = (up.start + up.end) / 2
    turned = Markup(
        '<text class="name" text-anchor="middle" transform="translate(10 {:.1f}) rotate(-90)">{}</text>'
    )
    return Markup("").join([*parts, turned.format(middle, up.named(label))])


def across_axis(across: Scale, label: str, top: float = TOP, bottom: float = HEIGHT - BOTTOM) -> Markup:
    """Grid lines and numbers of the horizontal scale."""
    parts = []
    for tick in across.ticks():
        x = across(tick)
        strong = " zero" if tick == 0 and across.domain[0] < 0 else ""
        parts += [
            line(x, top, x, bottom, f"grid{strong}"),
            text(x, bottom + 15, across.told(tick), "middle", "tick"),
        ]
    parts.append(text((across.start + across.end) / 2, bottom + 33, across.named(label), "middle", "name"))
    return Markup("").join(parts)


def by_logarithm(numbers: Mapping[str, float]) -> dict[str, float]:
    """Where each stands across the chart, at the logarithm of its number."""
    logs = {each: math.log(number) for each, number in numbers.items()}
    low, high = min(logs.values()), max(logs.values())
    room = 0.1 * (high - low) or 1.0
    across = Scale((low - room, high + room), LEFT, WIDTH - RIGHT)
    return {each: across(log) for each, log in logs.items()}


def with_room(places: Mapping[str, float]) -> list[str]:
    """Those whose names have an eighth of the axis to themselves."""
    drawn: list[str] = []
    for each, place in places.items():
        if not drawn or place - places[drawn[-1]] > (WIDTH - LEFT - RIGHT) / 8 - 1e-6:
            drawn.append(each)
    return drawn


def drawn_as(number: int, colour: str) -> str:
    """The classes of a series: its dash and its method's `colour`. Every six series the dashes meet the next shape, so
    that 36 of one colour can be told apart."""
    return f"dash-{(number + number // 6) % 6 + 1} {colour}"


def marker(x: float, y: float, number: int, colour: str) -> Markup:
    """The series' own shape, in its colour."""
    own, shape = f"spot {drawn_as(number, colour)}", SHAPES[number % 6]
    if shape == "circle":
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(own, x, y)
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in _CORNERS[shape])
    return Markup('<polygon class="{}" points="{}"/>').format(own, points)


def badge(x: float, y: float, letter: str) -> Markup:
    """A letter in a circle."""
    return Markup('<circle class="badge-ring" cx="{0:.1f}" cy="{1:.1f}" r="8"/>').format(x, y) + text(
        x, y + 3.8, letter, "middle", "badge-letter"
    )


def hatching(name: str, count: int) -> Markup:
    """Patterns `NAME-1` …: every second part is hatched, each at an angle of its own."""
    made = [
        Markup(
            '<pattern id="{0}-{1}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate({2})">'
            '<rect width="6" height="6" class="shade-{1}"/>{3}</pattern>'
        ).format(name, at, 22.5 * at, Markup('<line y2="6" class="hatch"/>') if at % 2 == 0 else "")
        for at in range(1, count + 1)
    ]
    return Markup("<defs>{}</defs>").format(Markup("").join(made))


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        kind, x1, y1, x2, y2
    )


def text(x: float, y: float, words: str, anchor: str, kind: str = "label") -> Markup:
    """A line of text."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, words
    )


def figure(parts: Sequence[Markup], name: str, title: str, desc: str, height: float = HEIGHT) -> Markup:
    """The parts as one picture with a title and a description for those who do not see it."""
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h:g}" role="img" aria-labelledby="{n}-title" aria-describedby="{n}-desc">'
        '<title id="{n}-title">{title}</title><desc id="{n}-desc">{desc}</desc>{parts}</svg>'
    ).format(w=WIDTH, h=height, n=name, title=title, desc=desc, parts=Markup("").join(parts))
