"""Word for word: the longest stretches of a text that stand in the corpus, rare ones first (as OLMoTrace shows).

A suffix array over the words of all passages. From each word of the text the range of suffixes that begin with
the words so far is narrowed until none is left; of the stretches found only those not inside another are kept.

It is kept in files that are mapped: eight bytes a word, of which a question reads some thousands, the same for all workers of
a machine.
"""

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from app.retrieval.vocabulary import Vocabulary, keep, mapped
from app.words.names import fold, placed_words

_WORD = re.compile(r"\w+")
LONGEST = 64  # words of a stretch
SHORTEST = 2  # a single word is no stretch
MOST = 10  # stretches returned
EXAMPLES = 5  # passages named for each
MOST_WORDS = 100_000_000  # of a corpus, the ends of its passages counted: to put so many in order takes 4 GB


@dataclass(frozen=True)
class VerbatimSpan:
    """Characters `start` to `end` of the text stand in `count` passages; `rows` are the first of them."""

    start: int
    end: int
    count: int
    rows: tuple[int, ...]


class Verbatim:
    """The words of a corpus in suffix order. Row r is passage r.

    Args:
        words: (n,) int32 ids from 1 on; 0 stands after each passage.
        suffixes: (n,) int32 positions, in the order of what follows them.
        starts: (passages + 1,) int64 position of each passage's first word, and the end of the last.
        firsts: (words + 2,) int64 of each id, place of the first suffix that begins with it; at the end n.
        vocabulary: the ids of words.
    """

    FILES = ("words", "suffixes", "starts", "firsts")

    def __init__(
        self,
        words: np.ndarray,
        suffixes: np.ndarray,
        starts: np.ndarray,
        firsts: np.ndarray,
        vocabulary: Vocabulary,
    ) -> None:
        self._words, self._suffixes, self._starts, self._firsts = words, suffixes, starts, firsts
        self._vocabulary = vocabulary

    @classmethod
    def build(cls, texts: Iterable[str], *, most: int = MOST_WORDS) -> Self:
        """Index the texts in row order, O(n log² n) in words. Of more than `most` words nothing is indexed, and nothing found."""
        ids: dict[str, int] = {}
        words, starts = array("i"), array("q", [0])
        for text in texts:
            words.extend(ids.setdefault(word, len(ids) + 1) for word in _WORD.findall(fold(text)))
            words.append(0)
            starts.append(len(words))
            if len(words) > most:
                return cls.build(())
        every = np.array(words, np.int32)
        return cls(
            words=every,
            suffixes=_suffix_array(every),
            starts=np.array(starts),
            firsts=np.concatenate([[0], np.cumsum(np.bincount(every, minlength=len(ids) + 1))]),
            vocabulary=Vocabulary.of(ids),
        )

    def save(self, directory: Path) -> None:
        """Write the index into a directory that is not there yet."""
        directory.mkdir()
        self._vocabulary.save(directory)
        keep(directory, self.FILES, (self._words, self._suffixes, self._starts, self._firsts))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """What `save` wrote, mapped.

        Raises:
            FileNotFoundError: nothing was.
        """
        words, suffixes, starts, firsts = mapped(directory, cls.FILES)
        return cls(words, suffixes, starts, firsts, Vocabulary.load(directory))

    def __len__(self) -> int:
        """How many passages."""
        return len(self._starts) - 1

    def find(self, text: str) -> list[VerbatimSpan]:
        """Maximal stretches of the text that stand in passages, the rarest words first."""
        found = [(self._vocabulary.number(word), start, end) for word, start, end in placed_words(text)]
        ids = [each[0] for each in found]
        kept: list[tuple[float, VerbatimSpan]] = []
        reached = 0
        for at in range(len(ids)):
            length, low, high = self._longest(ids[at : at + LONGEST])
            if length >= SHORTEST and at + length > reached:
                rows = np.unique(self._passages(low, high))
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
            every = self._rarest([self._vocabulary.number(word) for word, _, _ in placed_words(text)])
            hits = np.flatnonzero(every)
            best = hits[np.lexsort((hits, -every[hits]))][:k]
            scores[at, : len(best)], rows[at, : len(best)] = every[best], best
        return scores, rows

    def _rarest(self, ids: list[int]) -> np.ndarray:
        """(passages,) float64: of each, the surprise of the rarest of the words' stretches that stands in it; else 0."""
        every = np.zeros(len(self))
        for at in range(len(ids)):
            for length, low, high in self._narrowed(ids[at : at + LONGEST]):
                if length >= SHORTEST:
                    rows = self._passages(low, high)
                    every[rows] = np.maximum(every[rows], self._surprise(ids[at : at + length]))
        return every

    def _longest(self, ids: list[int]) -> tuple[int, int, int]:
        """How many of the words follow each other somewhere, and the range of suffixes where they do."""
        return max(self._narrowed(ids), default=(0, 0, 0))

    def _narrowed(self, ids: list[int]) -> Iterator[tuple[int, int, int]]:
        """For the first word, the first two and so on: how many they are, and the range of suffixes that begin so."""
        if not ids or ids[0] < 1:
            return
        low, high = int(self._firsts[ids[0]]), int(self._firsts[ids[0] + 1])
        length = 1
        yield length, low, high
        for word in ids[1:]:
            if word < 1:
                return
            places = range(low, high)
            left, right = (
                bisect_left(places, each, key=self._following(length)) for each in (word, word + 1)
            )
            if left == right:
                return
            low, high, length = low + left, low + right, length + 1
            yield length, low, high

    def _following(self, length: int) -> Callable[[int], int]:
        """The word that stands behind the first `length` of a suffix; 0 where none does."""
        words, suffixes = self._words, self._suffixes
        return lambda place: int(words[min(int(suffixes[place]) + length, len(words) - 1)])

    def _passages(self, low: int, high: int) -> np.ndarray:
        """The passages in which these suffixes begin."""
        return np.searchsorted(self._starts, self._suffixes[low:high], "right") - 1

    def _surprise(self, ids: list[int]) -> float:
        """-log of the words' joint frequency if they were independent: long and rare is high."""
        total = len(self._words)
        return sum(math.log(total / int(self._firsts[word + 1] - self._firsts[word])) for word in ids)


def _suffix_array(words: np.ndarray) -> np.ndarray:
    """Positions in the order of the LONGEST words that follow them, as far as their passage goes: by doubling the length that
    is compared, of those only that are still alike."""
    count = len(words)
    order = np.argsort(words, kind="stable").astype(np.int32)
    ranks = np.empty(count, np.int32)
    ends = int(np.searchsorted(words[order], 1))
    # Of passages' ends each has a rank of its own: what comes behind is another text.
    ranks[order[:ends]] = np.arange(ends)
    places = np.arange(ends, count, dtype=np.int32)  # in the order, of suffixes that are not told apart
    keys = words[order[ends:]].astype(np.int64)
    width = 1
    while True:
        new = np.diff(keys, prepend=-1) != 0
        groups = places[new]
        ranks[order[places]] = np.repeat(groups, np.diff(np.flatnonzero(new), append=len(places)))
        alike = ~(new & np.append(new[1:], True))
        places = places[alike]
        if width >= LONGEST or not len(places):
            return order
        suffixes = order[places]
        following = np.minimum(suffixes.astype(np.int64) + width, count - 1)
        keys = (ranks[suffixes].astype(np.int64) << 32) | ranks[following]
        sorting = np.argsort(keys, kind="stable")
        order[places], keys = suffixes[sorting], keys[sorting]
        width *= 2
