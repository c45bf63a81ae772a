"""Numbers -> SVG: the lanes of one training step each, the bell of all scores, and the bar of one step. Pure.

Places along x are percentages of the drawing's width, so it fits any screen without scripts or inline styles, and
its text keeps its size. Colours are the style sheet's. Numbers are written in as they are; words and addresses are
escaped.
"""

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from app.web.evidence.lanes import Dot, Lane, mean_change
from app.words.chance import Chance
from app.words.saying import percentage

ROWS = (20, 31, 42)  # y of the dots, which take turns so that neighbours stay apart
HEIGHT = 56
RADIUS = 6
NOTE = 0.2  # of the width: a note needs so much room between its dot and the line of before
SIGNS = 110  # characters of a note that the whole width has room for
TICKS = range(0, 101, 20)
NARROW = (40, 80)  # ticks whose words are left out on narrow screens
BELL = 88  # pixels
MARK = 7  # of a passage in the bell: thousandths of its width, pixels of its height


def percent(share: float) -> str:
    """A place along x: a probability or share of the width."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def axis(before: float, words: str) -> Markup:
    """The head of the plot: `words` over the place of `before`, kept within the drawing; and the grid of its lanes."""
    anchor = "start" if before < 0.12 else "end" if before > 0.88 else "middle"
    return Markup(
        '<svg class="axis head" aria-hidden="true"><defs><g class="grid" id="grid">{}</g></defs>'
        '<text x="{}" y="14" text-anchor="{}">{}</text></svg>'
    ).format(_GRID, percent(before), anchor, words)


def ticks() -> Markup:
    """The foot of the plot: 0 to 100 %."""
    texts = (
        Markup('<text x="{0}%" y="14" text-anchor="{1}"{2}>{0} %</text>').format(
            tick,
            "start" if tick == 0 else "end" if tick == 100 else "middle",
            Markup(' class="roomy"') if tick in NARROW else "",
        )
        for tick in TICKS
    )
    return Markup('<svg class="axis foot" aria-hidden="true">{}</svg>').format(Markup("").join(texts))


def lane_svg(before: float, lane: Lane) -> Markup:
    """One lane: a line from `before` to each dot, and a mark over their mean.

    The dots are links for those who point; everybody has the same links in the table of numbers.
    """
    start = percent(before)
    drawn = [_dot(start, dot, y) for dot, y in _placed(lane.dots)]
    mean = mean_change(before, lane)
    if mean is not None and len(lane.dots) > 1:
        place = percent(min(1.0, max(0.0, before + mean / 100)))
        drawn.append(f'<svg class="mean" x="{place}" y="2"><path d="M0 8l5-8h-10z"/></svg>')
    drawn += _note(before, lane)
    line = f'<line class="before" x1="{start}" x2="{start}" y2="100%"/>'
    return Markup(
        f'<svg class="dots" height="{HEIGHT}" aria-hidden="true" data-before="{start}">'
        f'<use href="#grid"/>{line}{"".join(drawn)}</svg>'
    )


_GRID = Markup("").join(Markup('<line x1="{0}%" x2="{0}%" y2="100%"/>').format(tick) for tick in TICKS)


def _note(before: float, lane: Lane) -> Sequence[str]:
    """The words of the passage that is named, between its dot and `before`, where they have room."""
    note = lane.note
    for dot, y in _placed(lane.dots):
        room = abs(before - dot.after)
        if note and dot.passage_id == note.passage_id and room >= NOTE:
            text = shortened(note.text, int(SIGNS * room))
            side, dx = ("start", 12) if dot.after < before else ("end", -12)
            lines = (
                (y - 6, "said", f"“{text}”"),
                (y + 15, "quiet", f"{note.place}: it leaves {percentage(dot.after)}"),
            )
            return [
                Markup(
                    '<svg class="note" x="{}"><text class="{}" x="{}" y="{}" text-anchor="{}">{}</text></svg>'
                ).format(percent(dot.after), kind, dx, at, side, words)
                for at, kind, words in lines
            ]
    return []


def shortened(text: str, most: int) -> str:
    """The text, or as much of its beginning as `most` characters hold."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _placed(dots: Iterable[Dot]) -> list[tuple[Dot, int]]:
    ordered = sorted(dots, key=lambda dot: dot.after)
    return [(dot, ROWS[at % len(ROWS)]) for at, dot in enumerate(ordered)]


def _dot(start: str, dot: Dot, y: int) -> str:
    end = percent(dot.after)
    shape = f'<line x1="{start}" x2="{end}" y1="{y}" y2="{y}"/><circle cx="{end}" cy="{y}" r="{RADIUS}"/>'
    return f'<a href="{escape(dot.url)}" tabindex="-1">{shape}</a>' if dot.url else shape


def step_bar(before: float, after: float) -> Markup:
    """The bar beside one passage: from before to after on a track from 0 to 100 %."""
    low, high = sorted((before, after))
    way = "up" if after >= before else "down"
    start = percent(before)
    return Markup(
        f'<svg class="step {way}" aria-hidden="true"><rect class="track" width="100%" y="5" height="4" rx="2"/>'
        f'<rect x="{percent(low)}" width="{percent(high - low)}" y="3" height="8" rx="2"/>'
        f'<line x1="{start}" x2="{start}" y1="0" y2="14"/></svg>'
    )


def bell_svg(chance: Chance, shown: Iterable[float] = ()) -> Markup:
    """The histogram of a sample's scores, in square roots so that the few are seen; what lies beyond chance stands out.

    One outline for each kind of bar, x in thousandths of the width: many pages have a bell and little else that is drawn.

    Args:
        shown: scores of the page's own passages. Those beyond chance are drawn, for hardly any of them is in a sample.
    """
    bars = _outlines(chance)
    for score in shown:
        if kind := "for" if score > chance.floor else "against" if score < chance.opponent_floor else "":
            bars[kind] += f"M{min(_along(chance, score), 1000 - MARK)} {BELL}v-{MARK}h{MARK}v{MARK}"
    start, end = _along(chance, chance.opponent_floor), _along(chance, chance.floor)
    shade = f'<rect class="chance" x="{start}" width="{end - start}" height="{BELL}"/>'
    drawn = "".join(f'<path class="{kind}" d="{path}"/>' for kind, path in bars.items() if path)
    return Markup(
        f'<svg class="bell" height="{BELL}" viewBox="0 0 1000 {BELL}" preserveAspectRatio="none" aria-hidden="true">'
        f"{shade}{drawn}</svg>"
    )


def _outlines(chance: Chance) -> dict[str, str]:
    """The histogram by kind of bar: bars side by side are one outline."""
    tallest = max(*chance.counts, 1)
    bars = {"usual": "", "against": "", "for": ""}
    ends: dict[str, int] = {}  # where the outline of a kind has come to
    for count, left, right in zip(chance.counts, chance.edges, chance.edges[1:], strict=False):
        if not count:
            continue
        kind = "for" if left >= chance.floor else "against" if right <= chance.opponent_floor else "usual"
        top = min(BELL - 1, BELL - round(BELL * (count / tallest) ** 0.5))
        start = "" if ends.get(kind) == _along(chance, left) else f"V{BELL}M{_along(chance, left)} {BELL}"
        ends[kind] = _along(chance, right)
        bars[kind] += f"{start}V{top}H{ends[kind]}"
    return {kind: path.removeprefix(f"V{BELL}") + f"V{BELL}" * bool(path) for kind, path in bars.items()}


def _along(chance: Chance, score: float) -> int:
    low, high = chance.edges[0], chance.edges[-1]
    return round(1000 * min(1.0, max(0.0, (score - low) / (high - low))))
