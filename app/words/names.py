"""Where a name stands in a text, and whether an answer is right: one rule and one folding, for every script.

Marks, types of passages, answers and BM25's words all ask here. Names are compared as whole words, without regard to case,
to Unicode's several spellings of one character (NFC, NFD, full width) and to the several apostrophes and hyphens. In
scripts without spaces between words (Chinese, Japanese, Thai, …) and in Korean, whose particles join the word before, a
name may stand anywhere.

A hyphen, an apostrophe or a full stop between two parts of one kind joins them: `thirty-six`, `Guinea-Bissau`, `O'Brien`, `3.5`
are one word each. Between a name and what is none it does not: `Paris-based`, `l'Afrique`, `non-French`.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

_SIGNS = str.maketrans(dict.fromkeys("’‘ʼ`´", "'") | dict.fromkeys("‐‑‒–−", "-"))
_UNSPACED = re.compile(  # Thai, Lao, Myanmar, Khmer, kana, Chinese characters, Korean
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_ARTICLE = re.compile(r"(?:the|an?)\s+(?=\S)")
_JOINS = frozenset("-'.")
_JOINS_DIGITS = frozenset(",:/")
_SMALL = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_LARGE = "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion point"
_NUMBERS = frozenset(f"{_SMALL} {_LARGE}".split(" "))


@dataclass(frozen=True)
class Folded:
    """A text as it is compared, with the character of the text that each of its own came from; None: its own place."""

    text: str
    folded: str
    origin: tuple[int, ...] | None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Characters of the text for characters of the folding, with the marks that belong to the last."""
        if self.origin is None:
            return start, end
        after = self.origin[end] if end < len(self.origin) else len(self.text)
        return self.origin[start], after

    def is_capital(self, at: int) -> bool:
        """Whether a character of the folding was written as a capital."""
        return self.text[at if self.origin is None else self.origin[at]].isupper()


@lru_cache(4_096)
def folding(text: str) -> Folded:
    """The text as it is compared."""
    if text.isascii():
        return Folded(text, text.lower().translate(_SIGNS), None)
    folded: list[str] = []
    origin: list[int] = []
    for start, end in characters(text):
        piece = _fold_one(text[start:end])
        folded.append(piece)
        origin += [start] * len(piece)
    return Folded(text, "".join(folded), tuple(origin))


def fold(text: str) -> str:
    """The text as it is compared: one spelling for each character, no case."""
    return folding(text).folded


def characters(text: str) -> Iterator[tuple[int, int]]:
    """The characters that a reader sees, each with its marks, as places in the text."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _goes_with_the_one_before(text[at]):
            yield start, at
            start = at


def is_unspaced(character: str) -> bool:
    """Whether a character is of a script where names may stand anywhere."""
    return bool(_UNSPACED.match(character))


def has_name(text: str, name: str) -> bool:
    """Whether the name stands in the text."""
    wanted = fold(name).strip()
    return bool(wanted) and next(_stands(folding(text), wanted), None) is not None


def find_names(text: str, names: Iterable[str]) -> list[tuple[int, int]]:
    """Where the names stand, as characters of the text, in order; the longest where they overlap."""
    wanted = sorted(
        {fold(name).strip() for name in names if name} - {""}, key=lambda name: (-len(name), name)
    )
    own = folding(text)
    taken: list[tuple[int, int]] = []
    for name in wanted:
        for start in _stands(own, name):
            place = own.place(start, start + len(name))
            if all(place[1] <= a or b <= place[0] for a, b in taken):
                taken.append(place)
    return sorted(taken)


def is_right(answer: str, accepted: Iterable[str]) -> bool:
    """Whether an answer begins with an accepted one, with or without an article, and the name ends there.

    It goes on, and is another, in `thirty-six` for `thirty`, `3.5` for `3`, `Czech Republic` for `Czech`, `two hundred`
    for `two`, `京都` for `京`.
    """
    own = folding(answer.strip())
    starts = _starts(own.folded)
    for each in accepted:
        wanted = fold(each).strip()
        bare = wanted[_starts(wanted)[-1] :]
        if bare and any(_begins(own, start, name) for start in starts for name in {wanted, bare}):
            return True
    return False


def _begins(own: Folded, start: int, name: str) -> bool:
    end = start + len(name)
    return own.folded.startswith(name, start) and _ends(own, end) and not _goes_on(own, start, end)


def _starts(folded: str) -> list[int]:
    """Where an answer may begin: at once, or after an article."""
    article = _ARTICLE.match(folded)
    return [0, article.end()] if article else [0]


def _goes_on(own: Folded, start: int, end: int) -> bool:
    """Whether the words after the name belong to it: another capital, another part of a number, the same script."""
    rest = own.folded[end:]
    if rest[:1] == "%" or (rest and is_unspaced(rest[0]) and _kind(rest[0]) == _kind(own.folded[end - 1])):
        return True
    following = re.match(r"\s+(\w)(\w*)", rest)
    if following is None:
        return False
    last = own.folded.rfind(" ", start, end) + 1 or start
    last = max(last, start)
    if own.is_capital(end + following.start(1)):
        return own.is_capital(last)
    number = own.folded[last:end]
    more = following[1] + following[2]
    return (number in _NUMBERS or number.isdecimal()) and (more in _NUMBERS or more.isdecimal())


def _kind(character: str) -> str:
    """Chinese characters and katakana, which write names; of other scripts nothing can be said."""
    name = unicodedata.name(character, "").split(" ")[0]
    return name if name in ("CJK", "KATAKANA") else character


def _stands(own: Folded, name: str) -> Iterator[int]:
    """Every place in the folding where the name is whole words."""
    start = own.folded.find(name)
    while start >= 0:
        if _ends(own, start + len(name)) and _ends(own, start):
            yield start
        start = own.folded.find(name, start + 1)


def _ends(own: Folded, at: int) -> bool:
    """Whether a word may end or begin between two characters of the folding."""
    folded = own.folded
    if at in (0, len(folded)):
        return True
    left, right = folded[at - 1], folded[at]
    if _of_word(left) and _of_word(right):
        return is_unspaced(left) or is_unspaced(right)
    if right in _JOINS or right in _JOINS_DIGITS:
        return not _joins(own, at)
    if left in _JOINS or left in _JOINS_DIGITS:
        return not _joins(own, at - 1)
    return True


def _joins(own: Folded, at: int) -> bool:
    """Whether the sign at a place of the folding makes one word of what stands before and after it."""
    folded = own.folded
    if not (0 < at < len(folded) - 1 and _of_word(folded[at - 1]) and _of_word(folded[at + 1])):
        return False
    if folded[at] in _JOINS_DIGITS or (folded[at] == "." and folded[at + 1].isdecimal()):
        return folded[at - 1].isdecimal() and folded[at + 1].isdecimal()
    if is_unspaced(folded[at - 1]) or is_unspaced(folded[at + 1]):
        return False
    if folded[at] == "'" and re.match(r"s\b", folded[at + 1 :]):
        return False  # a possessive
    start = at - 1
    while start > 0 and _of_word(folded[start - 1]):
        start -= 1
    return own.is_capital(start) == own.is_capital(at + 1)


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def _goes_with_the_one_before(character: str) -> bool:
    """Marks, and the later letters of a Korean syllable that is spelled out."""
    return character > "\u02ff" and (
        unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"
    )


@lru_cache(20_000)
def _fold_one(character: str) -> str:
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    return plain.translate(_SIGNS)


def placed_words(text: str) -> list[tuple[str, int, int]]:
    """The runs of letters and digits of a text, folded, each with its characters in the text as it is written."""
    own = folding(text)
    return [(run.group(), *own.place(*run.span())) for run in re.finditer(r"\w+", own.folded)]


def words(text: str) -> list[str]:
    """The words of a text as a search by words counts them, folded.

    Runs of letters and digits; in scripts without spaces and in Korean, pairs of neighbouring characters, as Lucene's CJK
    analyzer takes them (one character alone is itself).
    """
    found: list[str] = []
    for run in _runs(fold(text)):
        found += _pairs(run)
    return found


def _runs(folded: str) -> Iterator[str]:
    if folded.isascii():
        yield from re.findall(r"\w+", folded)
        return
    start = None
    for at, sign in enumerate(folded + " "):
        if _of_word(sign):
            start = at if start is None else start
        elif start is not None:
            yield folded[start:at]
            start = None


def _pairs(run: str) -> Sequence[str]:
    """A run of letters, or the pairs of its stretches in scripts without spaces."""
    if not _UNSPACED.search(run):
        return (run,)
    parts: list[str] = []
    kept: list[str] = []  # characters of a stretch without spaces, each with its marks
    plain = ""
    for start, end in [*characters(run), (len(run), len(run))]:
        one = run[start:end]
        if one and is_unspaced(one[0]):
            if plain:
                parts.append(plain)
            plain = ""
            kept.append(one)
            continue
        if kept:
            parts += [a + b for a, b in pairwise(kept)] or kept
            kept = []
        plain += one
    return [*parts, plain] if plain else parts
