"""Word for word: the longest stretches of a text that stand in the corpus, rare ones first (as OLMoTrace shows).

A suffix array over the words of all passages. From each word of the text the range of suffixes that begin with
the words so far is narrowed until none is left; of the stretches found only those not inside another are kept.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from app.words.names import fold, placed_words

_WORD = re.compile(r"\w+")
LONGEST = 64  # words of a stretch
SHORTEST = 2  # a single word is no stretch
MOST = 10  # stretches returned
EXAMPLES = 5  # passages named for each


@dataclass(frozen=True)
class VerbatimSpan:
    """Characters `start` to `end` of the text stand in `count` passages; `rows` are the first of them."""

    start: int
    end: int
    count: int
    rows: tuple[int, ...]


class Verbatim:
    """The words of a corpus in suffix order. Row r is passage r."""

    def __init__(
        self, words: np.ndarray, suffixes: np.ndarray, rows: np.ndarray, ids: dict[str, int]
    ) -> None:
        self._words = words  # (n,) int32 word ids; 0 stands after each passage
        self._suffixes = suffixes  # (n,) int32 positions, in the order of what follows them
        self._rows = rows  # (n,) int32 passage of each position
        self._ids = ids
        self._first = np.searchsorted(words[suffixes], np.arange(len(ids) + 2))
        self._frequency = np.bincount(words, minlength=len(ids) + 1)

    @classmethod
    def build(cls, texts: Iterable[str]) -> Self:
        """Index the texts in row order: O(n log² n) in words."""
        ids: dict[str, int] = {}
        words: list[int] = []
        rows: list[int] = []
        for row, text in enumerate(texts):
            own = [ids.setdefault(word, len(ids) + 1) for word in _WORD.findall(fold(text))]
            words += [*own, 0]
            rows += [row] * (len(own) + 1)
        array = np.asarray(words, dtype=np.int32)
        return cls(array, _suffix_array(array), np.asarray(rows, dtype=np.int32), ids)

    def find(self, text: str) -> list[VerbatimSpan]:
        """Maximal stretches of the text that stand in passages, the rarest words first."""
        found = [(self._ids.get(word, -1), start, end) for word, start, end in placed_words(text)]
        ids = [each[0] for each in found]
        kept: list[tuple[float, VerbatimSpan]] = []
        reached = 0
        for at in range(len(ids)):
            length, low, high = self._longest(ids[at : at + LONGEST])
            if length >= SHORTEST and at + length > reached:
                rows = np.unique(self._rows[self._suffixes[low:high]])
                first = tuple(int(row) for row in rows[:EXAMPLES])
                stretch = VerbatimSpan(found[at][1], found[at + length - 1][2], len(rows), first)
                kept.append((self._surprise(ids[at : at + length]), stretch))
            reached = max(reached, at + length)
        kept.sort(key=lambda item: (-item[0], item[1].start))
        return sorted((stretch for _, stretch in kept[:MOST]), key=lambda each: each.start)

    def search(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k passages that have the rarest stretch of each text: scores (n, k) and rows (n, k), ties by row.

        A score is how surprising the stretch is, in nats. Passages without any are row -1: they are not hits.
        """
        scores = np.full((len(texts), k), -np.inf, dtype=np.float32)
        rows = np.full((len(texts), k), -1, dtype=np.int64)
        for at, text in enumerate(texts):
            every = self._rarest([self._ids.get(word, -1) for word, _, _ in placed_words(text)])
            hits = np.flatnonzero(every)
            best = hits[np.lexsort((hits, -every[hits]))][:k]
            scores[at, : len(best)], rows[at, : len(best)] = every[best], best
        return scores, rows

    def _rarest(self, ids: list[int]) -> np.ndarray:
        """(passages,) float64: of each, the surprise of the rarest of the words' stretches that stands in it; else 0."""
        every = np.zeros(int(self._rows[-1]) + 1 if len(self._rows) else 0)
        for at in range(len(ids)):
            for length, low, high in self._narrowed(ids[at : at + LONGEST]):
                if length >= SHORTEST:
                    rows = self._rows[self._suffixes[low:high]]
                    every[rows] = np.maximum(every[rows], self._surprise(ids[at : at + length]))
        return every

    def _longest(self, ids: list[int]) -> tuple[int, int, int]:
        """How many of the words follow each other somewhere, and the range of suffixes where they do."""
        return max(self._narrowed(ids), default=(0, 0, 0))

    def _narrowed(self, ids: list[int]) -> Iterator[tuple[int, int, int]]:
        """For the first word, the first two and so on: how many they are, and the range of suffixes that begin so."""
        if not ids or ids[0] < 1:
            return
        low, high = int(self._first[ids[0]]), int(self._first[ids[0] + 1])
        length = 1
        yield length, low, high
        for word in ids[1:]:
            following = self._words[np.minimum(self._suffixes[low:high] + length, len(self._words) - 1)]
            left, right = np.searchsorted(following, [word, word + 1])
            if word < 1 or left == right:
                return
            low, high, length = low + int(left), low + int(right), length + 1
            yield length, low, high

    def _surprise(self, ids: list[int]) -> float:
        """-log of the words' joint frequency if they were independent: long and rare is high."""
        total = len(self._words)
        return sum(math.log(total / self._frequency[word]) for word in ids)


def _suffix_array(words: np.ndarray) -> np.ndarray:
    """Positions in the order of the LONGEST words that follow them, by doubling the length compared."""
    count = len(words)
    rank = words.astype(np.int64)
    width = 1
    while True:
        following = np.zeros(count, dtype=np.int64)
        following[: max(0, count - width)] = rank[width:] + 1
        key = rank * (int(rank.max(initial=0)) + 2) + following
        order = np.argsort(key, kind="stable")
        if width >= LONGEST:
            return order.astype(np.int32)
        steps = np.concatenate([[0], np.cumsum(np.diff(key[order]) != 0)]) if count else key
        rank[order] = steps
        width *= 2
        if count == 0 or steps[-1] == count - 1:
            return order.astype(np.int32)
