"""What a link shows where it is shared: Open Graph title and text, and a drawn card with claim, verdict and plot.

The card is a 1200 by 630 PNG made with Pillow and the two fonts beside this file; equal cards give equal bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

from app.web.evidence.card_plot import AXES, LANE, Box, Moved, draw_lanes, draw_moved, lane_height
from app.web.evidence.card_text import (
    PAPER,
    QUIET,
    TARGET,
    Block,
    Word,
    clean,
    font_for,
    set_lines,
    words_of,
    wrapped,
)
from app.web.evidence.claim import Claim, in_short
from app.web.evidence.lanes import Evidence
from app.web.evidence.verdict import Piece, verdict
from app.words.chat_text import spoken
from app.words.cutting import cut

SIZE = (1200, 630)
MARGIN = 64
INNER = SIZE[0] - 2 * MARGIN
LANES, ANSWERS = 4, 4  # that the card has room for
LINE = 54  # characters at the right of the head
STAR = "#9a5b00"


@dataclass(frozen=True)
class SharedCard:
    """What is drawn.

    Args:
        head: beside the mark, what this is: “one training step on each passage”.
        prompt: the claim; `target` is the end of it that is explained, marked.
        line: at the right of the head: “60 % sure, and right · model demo · TrackStar”, see `line_of`.
        said: the verdict in pieces, with what colours them.
        evidence: whose lanes are drawn.
        moved: where there are no lanes, what one passage did to several answers.
        passage: a text to quote where nothing was measured.
    """

    head: str
    prompt: str
    target: str
    line: str = ""
    said: tuple[Piece, ...] = ()
    evidence: Evidence | None = None
    moved: tuple[Moved, ...] = ()
    passage: str = ""


def og_title(prompt: str, target: str) -> str:
    """The title of a shared link: the prompt with its target, at most 110 characters."""
    return cut(f"{clean(spoken(prompt))} {clean(target)}".strip(), 110)


def line_of(claim: Claim, *others: str) -> str:
    """What is known of the answer, whose it is, and `others`: as many of these, in this order, as there is room for."""
    parts = list(filter(None, (in_short(claim), f"model {claim.model}", *others)))
    while len(parts) > 1 and len(" · ".join(parts)) > LINE:
        parts.pop()
    return " · ".join(parts)


def og_text(method: str, passage: str, measured: Evidence | None = None) -> str:
    """The text of a shared link, at most 200 characters: the verdict, or what the method put first."""
    if measured is not None and measured.lanes:
        return cut(clean(measured.verdict), 200)
    if not clean(passage):
        return "Which training passages made the model say that?"
    return cut(f"{clean(method)} puts this passage first: “{cut(clean(passage), 150)}”", 200)


def verdict_of(evidence: Evidence) -> tuple[Piece, ...]:
    """What the card says of the evidence; nothing where nothing was measured."""
    if evidence.before is None or not evidence.lanes:
        return ()
    return tuple(verdict(evidence.before, evidence.lanes, evidence.answer))


def draw(card: SharedCard) -> bytes:
    """The card as a PNG."""
    image = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(image)
    _head(image, pen, card)
    rows = _rows(card)
    y = _claim(pen, card, roomy=not rows)
    bottom = SIZE[1] - 20
    if card.said:
        lines = max(1, min(5, int((bottom - AXES - rows * LANE[0] - y - 14) // 36))) if rows else 4
        y = set_lines(pen, _sentences(card.said, 27, lines), (MARGIN, y + 6, SIZE[0] - MARGIN))
    if rows:
        lane = lane_height(rows, bottom - y - 12)
        _plot(image, pen, card, Box(MARGIN, bottom - AXES - rows * lane, SIZE[0] - MARGIN - 24, lane))
    elif card.passage:
        _quote(pen, card.passage, y + 20)
    out = BytesIO()
    image.save(out, "PNG", compress_level=6)  # 9 takes four times as long, for 5 % fewer bytes
    return out.getvalue()


def _head(image: Image.Image, pen: ImageDraw.ImageDraw, card: SharedCard) -> None:
    image.paste(STAR, (MARGIN - 2, 40), _star(26))
    head = f"Startrail · {clean(card.head)}" if card.head else "Startrail"
    pen.text((MARGIN + 34, 54), head, QUIET, font_for(head, 21, sans=True), anchor="lm")
    line = cut(clean(card.line), LINE)
    pen.text((SIZE[0] - MARGIN, 54), line, QUIET, font_for(line, 19, sans=True), anchor="rm")


def _claim(pen: ImageDraw.ImageDraw, card: SharedCard, *, roomy: bool) -> float:
    """The claim as large as it fits; the y below it."""
    words = _output(clean(spoken(card.prompt)), cut(clean(card.target), 90))
    sizes = ((60, 2), (50, 3), (42, 4)) if roomy else ((54, 1), (44, 2), (36, 2))
    fits = (wrapped(words, size, lines, INNER) for size, lines in sizes)
    block = next(fit for fit in fits if fit.whole or fit.size == sizes[-1][0])
    return set_lines(pen, block, (MARGIN, 84, SIZE[0] - MARGIN))


def _output(prompt: str, target: str) -> list[Word]:
    """Prompt and target in words; a long prompt loses its beginning, because the target must be seen."""
    room = 150 - len(target)
    if len(prompt) > room:
        prompt = f"… {prompt[-room:].partition(' ')[2] or prompt[-room:]}"
    return [*words_of(prompt), *words_of(target, TARGET)]


def _sentences(said: Sequence[Piece], size: int, lines: int) -> Block:
    """As many whole sentences of the verdict as `lines` hold, and of the first as much as fits."""
    words = list(_toned(said))
    ends = [at + 1 for at, word in enumerate(words) if word.text.endswith(".")]
    for end in reversed(ends):
        block = wrapped(words[:end], size, lines, INNER)
        if block.whole:
            return block
    return wrapped(words, size, lines, INNER)


def _toned(said: Iterable[Piece]) -> Iterable[Word]:
    """The words of the verdict. A full stop after a coloured piece stays at its word."""
    words: list[Word] = []
    glued = False
    for piece in said:
        text = clean(piece.text)
        if words and text and not glued and not piece.text[:1].isspace():
            first, _, text = text.partition(" ")
            words[-1] = Word(words[-1].text + first, words[-1].tone or piece.tone)
        words += words_of(text, piece.tone)
        glued = piece.text[-1:].isspace()
    return words


def _rows(card: SharedCard) -> int:
    """How many lanes or answers the plot has; none where nothing was measured."""
    if card.evidence and card.evidence.before is not None and card.evidence.lanes:
        return len(card.evidence.lanes[:LANES])
    return len(card.moved[:ANSWERS])


def _plot(image: Image.Image, pen: ImageDraw.ImageDraw, card: SharedCard, box: Box) -> None:
    shown = card.evidence
    if shown and shown.before is not None and shown.lanes:
        draw_lanes(image, pen, box, shown.before, shown.lanes[:LANES], shown.answer)
    else:
        draw_moved(image, pen, box, list(card.moved[:ANSWERS]))


def _quote(pen: ImageDraw.ImageDraw, passage: str, y: float) -> None:
    y = max(y, 340)
    pen.line((MARGIN, y, MARGIN + 48, y), STAR, 4)
    room = max(1, int((SIZE[1] - 40 - y - 22) // 40))
    block = wrapped(words_of(clean(passage)), 28, min(5, room), INNER)
    set_lines(pen, block, (MARGIN, y + 22, SIZE[0] - MARGIN), QUIET)


def _star(size: int) -> Image.Image:
    """The mark as a mask, drawn large and made small so that its edges are smooth."""
    unit = ((0, -1), (0.225, -0.309), (0.951, -0.309), (0.363, 0.118), (0.588, 0.809),
            (0, 0.382), (-0.588, 0.809), (-0.363, 0.118), (-0.951, -0.309), (-0.225, -0.309))  # fmt: skip
    large = Image.new("L", (size * 8, size * 8), 0)
    ImageDraw.Draw(large).polygon([(size * 4 * (1 + a), size * 4 * (1 + b)) for a, b in unit], 255)
    return large.resize((size, size), Image.Resampling.LANCZOS)
