"""An index in memory with its model and every way of searching its corpus: what a worker holds."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.curvature.deciding import Deciding, deciding_beside
from app.errors import UserError
from app.files import whole
from app.models.estimated import SAMPLE
from app.models.load import LoadedModel, compute_type, load_model
from app.models.steps import TailPatch
from app.models.text import Query
from app.retrieval.bm25 import BM25
from app.retrieval.chance import Unrelated, search_with_chance
from app.retrieval.dense import Dense
from app.retrieval.search import Search
from app.retrieval.verbatim import Verbatim, VerbatimSpan
from app.settings import Settings
from app.store.chunks import chunks
from app.store.corpora import get_corpus, sample_lessons, stream_passages
from app.store.engine import Store
from app.store.tables import Corpus, Passage
from app.tracing.catalog import BY_WORDS, WORD_FOR_WORD, choose
from app.tracing.search_place import SearchPlace, SpreadSearch
from app.tracing.trace_results import Hit, Ranking
from app.trackstar.encode import Encoder
from app.trackstar.index import TrackstarIndex, open_index
from app.words.chance import Chance
from app.words.roles import Lesson

log = logging.getLogger(__name__)

PATCHES = 3  # ways to step that are kept with their states

Rows = Sequence[tuple[int, float]]
"""Passages by row with their scores, best first."""
Sides = tuple[Rows, Rows, Chance | None]
"""Proponents, opponents, and what of them is more than chance, where that can be told."""


@dataclass
class LoadedIndex:
    """One index ready to answer. Not shared between threads."""

    name: str
    sha256: str
    index: TrackstarIndex
    model: LoadedModel
    encoder: Encoder
    search: Search
    unrelated: Unrelated
    bm25: BM25
    dense: Dense | None
    verbatim: Verbatim
    corpus_id: int
    sample: list[Lesson]  # passages to estimate an optimizer's state from
    deciding: Deciding | None = None  # what orders the candidates that the rows find, where it was fitted
    _patches: dict[tuple[str, float | None], TailPatch] = field(default_factory=dict)

    def patch(self, optimizer: str = "", learning_rate: float | None = None) -> TailPatch:
        """What takes steps: the optimizer's state, read or estimated when the first is asked for, and kept.

        Raises:
            UserError: the state does not fit the model, or ended with no learning rate and none is given.
        """
        if (optimizer, learning_rate) not in self._patches:
            alike = [patch for (name, _), patch in self._patches.items() if name == optimizer]
            self._patches[optimizer, learning_rate] = (
                alike[0].at(learning_rate)
                if alike and learning_rate is not None
                else TailPatch(
                    self.model, optimizer=optimizer, learning_rate=learning_rate, sample=self.sample
                )
            )
            if len(self._patches) > PATCHES:
                del self._patches[next(iter(self._patches))]
        return self._patches[optimizer, learning_rate]

    def warm_up(self) -> None:
        """Touch everything once, so that the first question is as fast as the next."""
        vectors = self.encoder.encode_queries([Query("The", " first")])
        self.influence([vectors], [(1, False)])
        self.by_words(["The first"], [1])
        self.by_meaning(["The first"], [1])
        if self.deciding:
            first = self.model.texts.query(Query("The", " first"))
            self.deciding.order(self.deciding.direction(first), [first], np.zeros(1, dtype=np.int64), 1)

    def influence(
        self, vectors: Sequence[np.ndarray], wanted: Sequence[tuple[int, bool]]
    ) -> list[list[Sides]]:
        """Proponents and opponents of encoded queries.

        Args:
            vectors: (sides, d) float32 for each question.
            wanted: for each question how many passages, and whether opponents too.

        Returns:
            for each question and side.
        """
        sides: dict[int, list[Sides]] = {}
        for opposing in (False, True):
            asked = [n for n, (_, opponents) in enumerate(wanted) if opponents == opposing]
            if asked:
                answered = iter(
                    self._sides([vectors[n] for n in asked], [wanted[n][0] for n in asked], opposing)
                )
                sides |= {n: [next(answered) for _ in vectors[n]] for n in asked}
        return [sides[n] for n in range(len(wanted))]

    def _sides(self, vectors: Sequence[np.ndarray], counts: Sequence[int], opposing: bool) -> Iterator[Sides]:
        most = max(counts)
        together = np.concatenate(list(vectors))
        high, low, chances = search_with_chance(
            self.search, self.unrelated, together, most, most if opposing else 0
        )
        lows = _pairs(*low) if low else [()] * len(together)
        each = [k for own, k in zip(vectors, counts, strict=True) for _ in own]
        for k, proponents, opponents, chance in zip(each, _pairs(*high), lows, chances, strict=True):
            yield proponents[:k], opponents[:k], chance

    def missed(self) -> list[tuple[int, int]]:
        """Rows, from one to before another, that the searches since this was asked last did not look at."""
        return self.search.missed() if isinstance(self.search, SpreadSearch) else []

    def by_words(self, texts: Sequence[str], counts: Sequence[int]) -> list[Rows]:
        """BM25's passages for each text."""
        ranked = _pairs(*self.bm25.search(texts, max(counts)))
        return [rows[:k] for rows, k in zip(ranked, counts, strict=True)]

    def by_meaning(self, texts: Sequence[str], counts: Sequence[int]) -> list[Rows] | None:
        """The dense model's passages for each text; None where the site has no such model."""
        if self.dense is None:
            return None
        ranked = _pairs(*self.dense.search(texts, max(counts)))
        return [rows[:k] for rows, k in zip(ranked, counts, strict=True)]

    def word_for_word(self, text: str) -> list[VerbatimSpan]:
        """The longest rare stretches of the text that stand in passages."""
        return self.verbatim.find(text)

    def ids(self, session: Session, rows: Iterable[int]) -> dict[int, int]:
        """Passage ids of rows of the index.

        Raises:
            UserError: the corpus is gone from the store.
        """
        wanted = sorted(set(rows))
        ids: dict[int, int] = {}
        for part in chunks(wanted, 500):
            query = select(Passage.position, Passage.id).where(
                Passage.corpus_id == self.corpus_id, Passage.position.in_(part)
            )
            ids.update(session.execute(query).all())
        if len(ids) != len(wanted):
            raise UserError(
                f"The corpus of the index “{self.name}” is no longer in the store.",
                remedy="Build the index again.",
            )
        return ids


def ranking(sides: Sides, ids: Mapping[int, int]) -> Ranking:
    """Proponents and opponents with passage ids for rows."""
    proponents, opponents = (
        [Hit(rank=n, score=score, passage_id=ids[row]) for n, (row, score) in enumerate(side, start=1)]
        for side in sides[:2]
    )
    return Ranking(proponents=proponents, opponents=opponents, chance=sides[2])


def first(sides: Sides, k: int) -> Sides:
    """The k first of either side."""
    proponents, opponents, chance = sides
    return proponents[:k], opponents[:k], chance


def open_loaded(
    settings: Settings, store: Store, name: str, *, device: str = "cpu", place: SearchPlace | None = None
) -> LoadedIndex:
    """Load an index, its model and its corpus's words.

    Args:
        place: where its rows are searched; None: in this process.

    Raises:
        UserError: one is missing or damaged, or they do not fit each other.
    """
    askable = choose(settings, index=name)
    index = open_index(settings.indexes / name)
    model = load_model(
        askable.model_path,
        device=device,
        **index.manifest.opening,
        dtype=compute_type(settings.dtype),
    )
    encoder = index.encoder(model)
    with store.session() as session:
        corpus = get_corpus(session, askable.corpus)
        check_corpus(corpus, index)
        dense = None
        if settings.dense_model:
            texts = (text for _, _, text in stream_passages(session, corpus.id))
            dense = Dense.open(
                settings.dense_model, texts, corpus.passage_count, index.path, device=str(model.device)
            )
        return LoadedIndex(
            name=name,
            sha256=askable.index_sha256,
            index=index,
            model=model,
            encoder=encoder,
            search=(place or SearchPlace()).search(index, str(model.device)),
            unrelated=Unrelated(index),
            bm25=_kept_words(session, corpus, index.path / BY_WORDS, BM25),
            dense=dense,
            verbatim=_kept_words(session, corpus, index.path / WORD_FOR_WORD, Verbatim),
            corpus_id=corpus.id,
            sample=sample_lessons(session, corpus, SAMPLE),
            deciding=deciding_beside(index.path, model),
        )


def check_corpus(corpus: Corpus, index: TrackstarIndex) -> None:
    """Row r of the index must be passage r of the corpus.

    Raises:
        UserError: the store's corpus of this name is not the one the index was built from.
    """
    if corpus.sha256 != index.manifest.corpus.sha256:
        raise UserError(
            f"The index “{index.path.name}” was built from another corpus than the one called “{corpus.name}” now.",
            remedy="Build the index again.",
            field="index",
        )


KeptWords = TypeVar("KeptWords", BM25, Verbatim)


def _kept_words(session: Session, corpus: Corpus, kept: Path, kind: type[KeptWords]) -> KeptWords:
    """The words of a corpus as they are kept beside the encodings, mapped; made when they are first needed."""
    with suppress(FileNotFoundError):
        return kind.load(kept)
    built = kind.build(text for _, _, text in stream_passages(session, corpus.id))
    try:
        with whole(kept) as partial:
            built.save(partial)
    except OSError as error:  # a read-only disk, or another worker was first
        log.warning("The word index could not be kept in %s: %s", kept, error)
        return built
    return kind.load(kept)


def _pairs(scores: np.ndarray, rows: np.ndarray) -> list[Rows]:
    """(n, k) scores and rows as lists; row -1 is no hit."""
    return [
        [(int(row), float(score)) for row, score in zip(some, own, strict=True) if row >= 0]
        for some, own in zip(rows, scores, strict=True)
    ]
