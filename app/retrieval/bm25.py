"""BM25 over the passages' words: what finds passages that *state* a fact (bm25s, Lù 2024).

Words are those of `app.words.names`; no stemming, no stop words: in short passages "of" and "in" are part of how a fact
is put.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import bm25s
import numpy as np

from app.retrieval.vocabulary import Vocabulary
from app.words.names import words

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for DEBUG, and the worker would print it
K1, B = 1.5, 0.75
WORDS_MOST = 512  # of a query


class BM25:
    """An index of all passages; row r is passage r."""

    kind = "bm25"

    def __init__(self, model: bm25s.BM25, vocabulary: Vocabulary) -> None:
        self._model, self._vocabulary = model, vocabulary

    @classmethod
    def build(cls, texts: Iterable[str]) -> Self:
        """Index the texts in row order."""
        ids: dict[str, int] = {}  # a word stands a million times in a corpus, and once in memory
        tokens = [[ids.setdefault(word, len(ids)) for word in words(text) or [""]] for text in texts]
        model = bm25s.BM25(method="lucene", k1=K1, b=B)
        model.index((tokens, ids), show_progress=False)
        model.vocab_dict = {}  # ours is kept in its place: theirs is read whole by every process
        return cls(model, Vocabulary.of(ids))

    def save(self, directory: Path) -> None:
        """Write the index into a directory."""
        self._model.save(str(directory))
        self._vocabulary.save(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            FileNotFoundError: nothing was.
        """
        vocabulary = Vocabulary.load(directory)
        return cls(bm25s.BM25.load(str(directory), mmap=True), vocabulary)

    def search(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k passages of highest score for each text: scores (n, k) and rows (n, k), ties by row.

        Passages that share no word with the text are row -1: they are not hits.
        """
        scores = np.full((len(texts), k), -np.inf, dtype=np.float32)
        rows = np.full((len(texts), k), -1, dtype=np.int64)
        for at, text in enumerate(texts):
            numbers = [self._vocabulary.number(word) for word in words(text)[:WORDS_MOST]]
            known = [number for number in numbers if number >= 0]
            if not known:
                continue
            every = np.asarray(self._model.get_scores_from_ids(known))
            hits = np.flatnonzero(every > 0)
            if len(hits) > k:
                least = np.partition(every[hits], -k)[-k]
                hits = hits[every[hits] >= least]
            best = hits[np.lexsort((hits, -every[hits]))][:k]
            scores[at, : len(best)], rows[at, : len(best)] = every[best], best
        return scores, rows
