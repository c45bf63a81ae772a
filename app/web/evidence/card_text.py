"""Text on a share card: any text, made drawable, wrapped to a width and set in reading order.

Text comes from prompts and web pages, so nothing here trusts it: control characters, stacked accents, endless
words, right-to-left text and lone surrogates are drawn or dropped, never an error.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import ImageDraw, ImageFont

PAPER, INK, QUIET, LINE = "#fbfaf7", "#1d2129", "#5d6470", "#e3e0d8"
TARGET = "target"  # the tone of what is explained: its words stand on a mark
TONES: Mapping[str, str] = {"": INK, TARGET: INK, "for": "#9a5b00", "against": "#6b3fa0"}
MARK = "#c9ebe7"
_FONTS = Path(__file__).parent / "fonts"
_RIGHT_TO_LEFT = ("R", "AL")


class Word(NamedTuple):
    """A word and its tone, see `TONES`."""

    text: str
    tone: str = ""


class Block(NamedTuple):
    """Wrapped lines, the size they are set in, and whether all words found room."""

    lines: list[list[Word]]
    size: int
    whole: bool


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


def words_of(text: str, tone: str = "") -> list[Word]:
    """The words of a clean text, all in one tone."""
    return [Word(word, tone) for word in text.split()]


def wrapped(words: Iterable[Word], size: int, limit: int, width: float) -> Block:
    """Lines no wider than `width` pixels, at most `limit`; where they do not hold all, an ellipsis ends the last."""
    words = list(words)
    font = font_for(" ".join(word.text for word in words), size)
    space = font.getlength(" ")
    lines: list[list[Word]] = [[]]
    used = 0.0
    for word in (piece for whole in words for piece in _pieces(whole, font, width)):
        length = font.getlength(word.text)
        if lines[-1] and used + length > width - (2 * space if len(lines) == limit else 0):
            if len(lines) == limit:
                lines[-1].append(Word("…"))
                return Block(lines, size, whole=False)
            lines.append([])
            used = 0.0
        lines[-1].append(word)
        used += length + space
    return Block([line for line in lines if line], size, whole=True)


def set_lines(
    pen: ImageDraw.ImageDraw, block: Block, box: tuple[float, float, float], colour: str = ""
) -> float:
    """Draw lines from `box` = left, top, right downwards; returns the y below them. `colour` replaces the tones'."""
    left, y, right = box
    for line in block.lines:
        _line(pen, line, y, block.size, (left, right), colour)
        y += block.size * 1.34
    return y


def font_for(text: str, size: int, *, sans: bool = False) -> ImageFont.FreeTypeFont:
    """The serif where it has every letter of `text`, else the sans that knows more scripts."""
    serif = not sans and all(c < "\u0530" or "\u2010" <= c <= "\u2026" for c in text)
    return _loaded("SourceSerif4.ttf" if serif else "DejaVuSans.ttf", size)


def _pieces(word: Word, font: ImageFont.FreeTypeFont, width: float) -> list[Word]:
    """A word cut into pieces no wider than a line."""
    text = word.text[:200]
    pieces: list[Word] = []
    while text:
        end = len(text)
        while end > 1 and font.getlength(text[:end]) > width - 40:
            end = max(1, end * 4 // 5)
        pieces.append(Word(text[:end], word.tone))
        text = text[end:]
    return pieces


def _line(
    pen: ImageDraw.ImageDraw,
    line: list[Word],
    y: float,
    size: int,
    within: tuple[float, float],
    colour: str,
) -> None:
    """Place a line's words in reading order: from the right where its first strong letter is right-to-left,
    runs of the other direction turned round."""
    font = font_for(" ".join(word.text for word in line), size)
    space = font.getlength(" ")
    base, placed = _in_order(line)
    x = within[0] if base == "L" else within[1]
    top, bottom = round(y) + 2, round(y + size * 1.26)
    for at, word in enumerate(placed):
        length = font.getlength(word.text)
        left = x if base == "L" else x - length
        if word.tone == TARGET:
            if at and placed[at - 1].tone == TARGET:  # one box for neighbours
                gap = (left - space, left) if base == "L" else (left + length, left + length + space)
                pen.rectangle((gap[0], top, gap[1], bottom), MARK)
            pen.rounded_rectangle((left - 7, top, left + length + 7, bottom), 8, MARK)
        pen.text((left, y), word.text, colour or TONES[word.tone], font)
        x = x + length + space if base == "L" else x - length - space


def _in_order(line: list[Word]) -> tuple[str, list[Word]]:
    """The direction of a line, and its words in the order in which they are placed."""
    base = next((d for d in (_direction(word.text) for word in line) if d), "L")
    runs: list[tuple[str, list[Word]]] = []
    for word in line:
        side = _direction(word.text) or (runs[-1][0] if runs else base)
        if runs and runs[-1][0] == side:
            runs[-1][1].append(word)
        else:
            runs.append((side, [word]))
    return base, [w for side, words in runs for w in (words if side == base else words[::-1])]


def _direction(text: str) -> str:
    for c in text:
        kind = unicodedata.bidirectional(c)
        if kind in _RIGHT_TO_LEFT:
            return "R"
        if kind == "L":
            return "L"
    return ""


@lru_cache(maxsize=32)
def _loaded(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / name, size)
