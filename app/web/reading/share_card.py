"""What a link to an example shows where it is shared: Open Graph title and text, and a drawn card.

The card is a 1200 by 630 PNG made with Pillow and the two fonts beside this file; equal cards give equal
bytes. Text comes from prompts and web pages, so nothing here trusts it: control characters, stacked accents,
endless words, right-to-left text and lone surrogates are drawn or dropped, never an error.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (1200, 630)
_MARGIN = 72
_INNER = SIZE[0] - 2 * _MARGIN
_PAPER, _INK, _QUIET, _LINE = "#fbfaf7", "#1d2129", "#5d6470", "#e3e0d8"
_STAR, _GOOD, _TARGET = "#9a5b00", "#1f7a4d", "#c9ebe7"
_FONTS = Path(__file__).parent / "fonts"
_RIGHT_TO_LEFT = ("R", "AL")


@dataclass(frozen=True)
class SharedCard:
    """What is drawn: one output, its first proponent, and which of its proponents state the fact."""

    prompt: str
    target: str
    line: str  # under the prompt: “TrackStar · demo · the model got it right”
    passage: str = ""  # the first proponent's text
    states: tuple[bool | None, ...] = ()  # for each proponent in rank order: does it state the fact


def og_title(prompt: str, target: str) -> str:
    """The title of a shared link: the prompt with its target, at most 110 characters."""
    return shorten(f"{clean(prompt)} {clean(target)}".strip(), 110)


def og_text(method: str, passage: str) -> str:
    """The text of a shared link, at most 200 characters: what the method put first."""
    if not clean(passage):
        return "Which training passages made the model say that?"
    return shorten(f"{clean(method)} puts this passage first: “{shorten(clean(passage), 150)}”", 200)


def clean(text: str) -> str:
    """`text` on one line, without what cannot or should not be drawn: control and direction characters, lone
    surrogates, and accents stacked more than two high."""
    kept: list[str] = []
    marks = 0
    for c in text[:4000]:
        kind = unicodedata.category(c)
        marks = marks + 1 if kind == "Mn" else 0
        if kind in ("Cc", "Zs", "Zl", "Zp"):
            kept.append(" ")
        elif kind not in ("Cf", "Cs", "Co", "Cn") and marks <= 2:
            kept.append(c)
    return " ".join("".join(kept).split())


def shorten(text: str, limit: int) -> str:
    """`text` cut at a word to at most `limit` characters, with an ellipsis where it was cut."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    at = head.rfind(" ")
    return f"{head[: at if at > limit // 2 else None].rstrip(' ,;:.')}…"


def draw(card: SharedCard) -> bytes:
    """The card as PNG bytes."""
    image = Image.new("RGB", SIZE, _PAPER)
    pen = ImageDraw.Draw(image)
    image.paste(_STAR, (_MARGIN - 2, 57), _star(30))
    pen.text((_MARGIN + 40, 72), "Startrail", _INK, _font("Startrail", 32), anchor="lm")
    _text(pen, shorten(clean(card.line), 62), SIZE[0] - _MARGIN, 72, 24)
    pen.line((_MARGIN, 112, SIZE[0] - _MARGIN, 112), _LINE, 2)
    words = _output(clean(card.prompt), shorten(clean(card.target), 90))
    size, lines = next(
        fit
        for fit in ((s, _wrapped(words, s, n)) for s, n in ((60, 2), (50, 3), (42, 4)))
        if fit[1][1] or fit[0] == 42
    )
    y = 150.0
    for line in lines[0]:
        _line(pen, line, y, size, _INK)
        y += size * 1.34
    passage = _wrapped([(w, False) for w in clean(card.passage).split()], 28, 3)[0]
    if passage:
        y = max(y + 24, 356)
        pen.line((_MARGIN, y, _MARGIN + 48, y), _STAR, 4)
        y += 22
    for line in passage:
        if y < 530:
            _line(pen, line, y, 28, _QUIET)
            y += 40
    _chips(pen, card.states[:20])
    out = BytesIO()
    image.save(out, "PNG", optimize=False, compress_level=9)
    return out.getvalue()


Word = tuple[str, bool]  # a word and whether it belongs to the target


def _output(prompt: str, target: str) -> list[Word]:
    """Prompt and target in words; a long prompt loses its beginning, because the target must be seen."""
    room = 150 - len(target)
    if len(prompt) > room:
        prompt = f"… {prompt[-room:].partition(' ')[2] or prompt[-room:]}"
    return [(w, False) for w in prompt.split()] + [(w, True) for w in target.split()]


def _wrapped(words: list[Word], size: int, limit: int) -> tuple[list[list[Word]], bool]:
    """Lines that fit the card, at most `limit`, and whether all words found room."""
    font = _font(" ".join(w for w, _ in words), size)
    space = font.getlength(" ")
    lines: list[list[Word]] = [[]]
    used = 0.0
    for word, marked in (piece for whole in words for piece in _pieces(whole, font)):
        width = font.getlength(word)
        if lines[-1] and used + width > _INNER - (2 * space if len(lines) == limit else 0):
            if len(lines) == limit:
                lines[-1].append(("…", False))
                return lines, False
            lines.append([])
            used = 0.0
        lines[-1].append((word, marked))
        used += width + space
    return [line for line in lines if line], True


def _pieces(word: Word, font: ImageFont.FreeTypeFont) -> list[Word]:
    """A word cut into pieces no wider than the card."""
    text, marked = word[0][:200], word[1]
    pieces: list[Word] = []
    while text:
        end = len(text)
        while end > 1 and font.getlength(text[:end]) > _INNER - 40:
            end = max(1, end * 4 // 5)
        pieces.append((text[:end], marked))
        text = text[end:]
    return pieces


def _line(pen: ImageDraw.ImageDraw, line: list[Word], y: float, size: int, colour: str) -> None:
    """Place a line's words in reading order: from the right where its first strong letter is right-to-left,
    runs of the other direction turned round."""
    font = _font(" ".join(w for w, _ in line), size)
    space = font.getlength(" ")
    base = next((d for d in map(_direction, (w for w, _ in line)) if d), "L")
    runs: list[tuple[str, list[Word]]] = []
    for word in line:
        side = _direction(word[0]) or (runs[-1][0] if runs else base)
        if runs and runs[-1][0] == side:
            runs[-1][1].append(word)
        else:
            runs.append((side, [word]))
    placed = [w for side, words in runs for w in (words if side == base else words[::-1])]
    x = float(_MARGIN if base == "L" else SIZE[0] - _MARGIN)
    top, bottom = round(y) + 2, round(y + size * 1.26)
    for at, (text, marked) in enumerate(placed):
        width = font.getlength(text)
        left = x if base == "L" else x - width
        if marked and at and placed[at - 1][1]:  # one box for neighbours
            gap = (left - space, left) if base == "L" else (left + width, left + width + space)
            pen.rectangle((gap[0], top, gap[1], bottom), _TARGET)
        if marked:
            pen.rounded_rectangle((left - 7, top, left + width + 7, bottom), 8, _TARGET)
        pen.text((left, y), text, colour, font)
        x = x + width + space if base == "L" else x - width - space


def _direction(text: str) -> str:
    for c in text:
        kind = unicodedata.bidirectional(c)
        if kind in _RIGHT_TO_LEFT:
            return "R"
        if kind == "L":
            return "L"
    return ""


def _text(pen: ImageDraw.ImageDraw, text: str, right: float, middle: float, size: int) -> None:
    pen.text((right, middle), text, _QUIET, _font(text, size, sans=True), anchor="rm")


def _chips(pen: ImageDraw.ImageDraw, states: tuple[bool | None, ...]) -> None:
    """One box per proponent in rank order, filled where the passage states the fact."""
    font = _font("1", 19, sans=True)
    for at, stated in enumerate(states):
        x = _MARGIN + at * 46
        box = (x, 552, x + 36, 588)
        pen.rounded_rectangle(box, 7, _GOOD if stated else _PAPER, _GOOD if stated else "#c9c5bb", 2)
        pen.text((x + 18, 570), str(at + 1), "#ffffff" if stated else _QUIET, font, anchor="mm")
    if any(states):
        label = "states the fact"
        right = SIZE[0] - _MARGIN
        font = _font(label, 22, sans=True)
        if _MARGIN + len(states) * 46 + font.getlength(label) + 60 < right:
            pen.text((right, 570), label, _QUIET, font, anchor="rm")
            left = right - font.getlength(label) - 34
            pen.rounded_rectangle((left, 560, left + 20, 580), 5, _GOOD)


def _star(size: int) -> Image.Image:
    """The mark as a mask, drawn large and made small so that its edges are smooth."""
    unit = ((0, -1), (0.225, -0.309), (0.951, -0.309), (0.363, 0.118), (0.588, 0.809),
            (0, 0.382), (-0.588, 0.809), (-0.363, 0.118), (-0.951, -0.309), (-0.225, -0.309))  # fmt: skip
    large = Image.new("L", (size * 8, size * 8), 0)
    ImageDraw.Draw(large).polygon([(size * 4 * (1 + a), size * 4 * (1 + b)) for a, b in unit], 255)
    return large.resize((size, size), Image.Resampling.LANCZOS)


def _font(text: str, size: int, *, sans: bool = False) -> ImageFont.FreeTypeFont:
    """The serif where it has every letter of `text`, else the sans that knows more scripts."""
    serif = not sans and all(c < "\u0530" or "\u2010" <= c <= "\u2026" for c in text)
    return _loaded("SourceSerif4.ttf" if serif else "DejaVuSans.ttf", size)


@lru_cache(maxsize=32)
def _loaded(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / name, size)
