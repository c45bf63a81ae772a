"""The plot of a share card: the lanes of the page's plot, and the steps of one passage on several answers. Pure drawing.

Shapes are drawn at three times their size and made small, so that their edges are smooth.
"""

from dataclasses import dataclass

from PIL import Image, ImageDraw

from app.web.evidence.card_text import INK, LINE, PAPER, QUIET, TONES, clean, font_for
from app.web.evidence.lanes import AGAINST, RANDOM, Dot, Lane, mean_change, under_label
from app.words.cutting import cut
from app.words.methods import method_of
from app.words.saying import percentage, step_words

SCALE = 3
LABELS = 310  # pixels left of the plot
LANE = (54, 92)  # pixels at least and at most, with what separates a lane from the next
AXES = 66  # pixels above and below the lanes
TICKS = range(0, 101, 20)
NOTE = 0.2  # of the width: a note needs so much room between its dot and the line of before
SIGNS = 105  # characters of a note that the whole width has room for
ROWS = (0.24, 0.42, 0.6)  # y of a lane's dots, which take turns so that neighbours stay apart


@dataclass(frozen=True)
class Moved:
    """What one training step on the card's passage did to the answer to a prompt; `before` and `after` 0..1, `url` where
    to read of it."""

    prompt: str
    answer: str
    before: float
    after: float
    url: str


@dataclass(frozen=True)
class Box:
    """Where the plot stands: pixels of the card."""

    left: int
    top: int
    right: int
    lane: int  # the height of one

    def along(self, share: float) -> float:
        """The x of a probability."""
        start = self.left + LABELS
        return start + share * (self.right - start)


def lane_height(count: int, room: float) -> int:
    """Pixels of each of `count` lanes that share `room` with their axes."""
    return int(min(LANE[1], max(LANE[0], (room - AXES) / count)))


def draw_lanes(
    image: Image.Image, pen: ImageDraw.ImageDraw, box: Box, before: float, lanes: list[Lane], answer: str
) -> None:
    """The lanes with their labels, the dashed line `before`, and the axis below."""
    top = box.top + 22
    bottom = top + box.lane * len(lanes)
    _axis(pen, box, top, bottom, f"how likely “{cut(clean(answer), 40)}” is after one training step")
    x = box.along(before)
    for y in range(top - 4, bottom, 6):
        pen.line((x, y, x, y + 3), INK, 1)
    _centred(pen, f"before: {percentage(before)}", x, box.top + 6, box, 15)
    for at, lane in enumerate(lanes):
        y = top + at * box.lane
        middle = y + round(box.lane * ROWS[1])
        label, under = cut(clean(lane.label), 32), cut(clean(under_label(before, lane)), 46)
        pen.text((box.left, middle - 11), label, INK, font_for(label, 17, sans=True), anchor="lm")
        pen.text((box.left, middle + 12), under, QUIET, font_for(under, 13, sans=True), anchor="lm")
        _draw_lane(image, box, y, before, lane)
        _draw_note(pen, box, y, before, lane)


def draw_moved(image: Image.Image, pen: ImageDraw.ImageDraw, box: Box, moved: list[Moved]) -> None:
    """What one step on the passage did to several answers: a line from before to after for each."""
    top = box.top + 22
    bottom = top + box.lane * len(moved)
    _axis(
        pen, box, top, bottom, "how likely each answer is before and after one training step on this passage"
    )
    for at, each in enumerate(moved):
        y = top + at * box.lane
        said, moved_by = _end_of(each), step_words(each.before, each.after)
        half = y + box.lane // 2
        pen.text((box.left, half - 11), said, INK, font_for(said, 18), anchor="lm")
        pen.text((box.left, half + 13), moved_by, QUIET, font_for(moved_by, 15, sans=True), anchor="lm")
        tone = TONES["for" if each.after >= each.before else "against"]
        layer, brush = _layer(box)
        start, end = (SCALE * (box.along(share) - box.left) for share in (each.before, each.after))
        middle = SCALE * box.lane // 2
        brush.line((start, middle, end, middle), tone, 4 * SCALE)
        brush.line((start, middle - 12 * SCALE, start, middle + 12 * SCALE), INK, 2 * SCALE)
        _dot(brush, end, middle, tone, 8)
        _paste(image, layer, box, y)


def _end_of(each: Moved) -> str:
    """The end of prompt and answer, which tells answers apart."""
    said = f"{clean(each.prompt)} {cut(clean(each.answer), 26)}".strip()
    return said if len(said) <= 32 else f"…{said[-31:].partition(' ')[2] or said[-31:]}"


def _axis(pen: ImageDraw.ImageDraw, box: Box, top: int, bottom: int, words: str) -> None:
    for tick in TICKS:
        x = box.along(tick / 100)
        pen.line((x, top, x, bottom), LINE, 1)
        _centred(pen, f"{tick} %", x, bottom + 12, box, 14, QUIET)
    middle = box.along(0.5)
    pen.text((middle, bottom + 34), words, QUIET, font_for(words, 14, sans=True), anchor="mm")


def _centred(
    pen: ImageDraw.ImageDraw, text: str, x: float, y: float, box: Box, size: int, colour: str = INK
) -> None:
    """A short text around `x`, kept within the box."""
    font = font_for(text, size, sans=True)
    half = font.getlength(text) / 2
    pen.text((min(x, box.right + 24 - half), y), text, colour, font, anchor="mm")


def _draw_lane(image: Image.Image, box: Box, y: int, before: float, lane: Lane) -> None:
    colour = _colour(lane)
    layer, brush = _layer(box)
    start = SCALE * (box.along(before) - box.left)
    rows = _rows(lane)
    places: list[tuple[Dot, int]] = [
        (dot, round(SCALE * box.lane * rows[dot.passage_id]))
        for dot in sorted(lane.dots, key=lambda d: d.after)
    ]
    for dot, row in places:
        end = SCALE * (box.along(dot.after) - box.left)
        brush.line((start, row, end, row), _pale(colour), SCALE)
    for dot, row in places:
        _dot(brush, SCALE * (box.along(dot.after) - box.left), row, colour, 5)
    mean = mean_change(before, lane)
    if mean is not None and len(lane.dots) > 1:
        x = SCALE * (box.along(min(1.0, max(0.0, before + mean / 100))) - box.left)
        brush.polygon([(x - 5 * SCALE, 0), (x + 5 * SCALE, 0), (x, 7 * SCALE)], colour)
    _paste(image, layer, box, y)


def _draw_note(pen: ImageDraw.ImageDraw, box: Box, y: int, before: float, lane: Lane) -> None:
    """The words of the passage that is named, beyond its dot on the way to `before`, where they have room."""
    dot = next((each for each in lane.dots if lane.note and each.passage_id == lane.note.passage_id), None)
    if dot is None or lane.note is None or abs(before - dot.after) < NOTE:
        return
    row = y + round(box.lane * _rows(lane)[dot.passage_id])
    most = int(SIGNS * abs(before - dot.after))
    for text, colour, at in (
        (f"“{cut(clean(lane.note.text), most)}”", INK, row - 10),
        (f"{lane.note.place}: it leaves {percentage(dot.after)}", QUIET, row + 11),
    ):
        x, anchor = (
            (box.along(dot.after) + 12, "lm") if dot.after < before else (box.along(dot.after) - 12, "rm")
        )
        pen.text((x, at), text, colour, font_for(text, 13, sans=True), anchor=anchor)


def _rows(lane: Lane) -> dict[int, float]:
    """By passage the y of its dot, as a share of its lane."""
    ordered = sorted(lane.dots, key=lambda dot: dot.after)
    return {dot.passage_id: ROWS[at % len(ROWS)] for at, dot in enumerate(ordered)}


def _colour(lane: Lane) -> str:
    """As on the page: the method's, but one colour for all that speaks against, and none for chance."""
    if lane.name == AGAINST:
        return TONES["against"]
    return QUIET if lane.name == RANDOM or not lane.method else method_of(lane.method).colour[0]


def _layer(box: Box) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    size = (SCALE * (box.right - box.left + 12), SCALE * box.lane)
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    return layer, ImageDraw.Draw(layer)


def _paste(image: Image.Image, layer: Image.Image, box: Box, y: int) -> None:
    small = layer.resize((layer.width // SCALE, layer.height // SCALE), Image.Resampling.LANCZOS)
    image.paste(small, (box.left, y), small)


def _dot(brush: ImageDraw.ImageDraw, x: float, y: float, colour: str, radius: int) -> None:
    r = radius * SCALE
    brush.ellipse((x - r, y - r, x + r, y + r), colour, PAPER, SCALE)


def _pale(colour: str) -> str:
    """The colour, faint: lines lie on the grid and below the dots."""
    return f"{colour}66"
