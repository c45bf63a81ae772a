"""One audit: an index and its corpus found, every way of looking taken in turn, the first passages of each kept.

What is held in memory is one number a passage; texts, rows and gradients pass by in pieces.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.curvature.deciding import CANDIDATES, Deciding, deciding_beside
from app.curvature.own import own_influences
from app.evaluation.audited import AuditRanking, CorpusAudit, Spread
from app.interchange.fields import Fields
from app.models.load import compute_type, load_model
from app.retrieval.search import open_search
from app.runs.auditing import scores
from app.runs.auditing.asked import Looking, UnwantedOutput, index_of, read_outputs
from app.runs.auditing.scores import LookedThrough
from app.runs.building import index_place
from app.settings import Settings
from app.showing import Bar, counting, unseen
from app.store.behind import passages_at
from app.store.chunks import chunks
from app.store.corpora import get_corpus, stream_lessons, stream_passages
from app.store.engine import Store
from app.store.tables import Corpus
from app.tracing.catalog import choose
from app.tracing.loaded import check_corpus
from app.trackstar.index import open_index
from app.words.auditing import OWN, OWN_EXACT, SUM, way_label
from app.words.methods import BM25, EKFAC, TRACKSTAR, TWO_STAGES
from app.words.roles import Lesson, lesson

BARS = 60  # of the spread


def audit(
    settings: Settings,
    store: Store,
    name: str,
    outputs: str,
    how: Looking,
    command: str,
    *,
    fields: Fields | None = None,
    bar: Bar = unseen,
) -> CorpusAudit:
    """Look through a corpus in each of the ways that were asked for.

    Args:
        name: of an index, or of a corpus with one. outputs: a file of prompts with targets, or a prompt set; empty: none.
        command: what does it again, for those who read the outcome. fields: of the file, where they have other names.

    Raises:
        UserError: a name, file or option cannot be used.
    """
    how.check(outputs)
    askable = choose(settings, index=index_of(settings, name))
    index = open_index(index_place(settings, askable.index))
    with store.session() as session:
        corpus = get_corpus(session, askable.corpus)
        check_corpus(corpus, index)
        unwanted = read_outputs(session, outputs, fields)
        loaded = load_model(
            askable.model_path,
            device=settings.device,
            dtype=compute_type(settings.dtype),
            **index.manifest.opening,
        )
        second = deciding_beside(index.path, loaded)
        ways = how.chosen(bool(unwanted), second is not None)
        looked = LookedThrough(
            index, loaded, lambda: (each for _, each in stream_lessons(session, corpus.id))
        )
        looking = _Looking(session, corpus, looked, second, unwanted, how, bar)
        own = looking.own()
        rankings = [ranking(way, looking.by(way, own), how.k, index.passage_ids) for way in ways]
    return CorpusAudit(
        about={
            "command": command,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "index": askable.index,
            "index_sha256": askable.index_sha256,
            "model": askable.model,
            "model_sha256": askable.model_sha256,
            "corpus": askable.corpus,
            "corpus_sha256": corpus.sha256,
            "passages": index.manifest.passages,
            "over": how.over,
            "candidates": max(CANDIDATES, how.k),
            "exact": min(how.exact or index.manifest.passages, index.manifest.passages),
        },
        outputs=[{"id": one.id, "prompt": one.query.prompt, "target": one.target} for one in unwanted],
        rankings=rankings,
        spread=spread_of(own),
    )


@dataclass(frozen=True)
class _Looking:
    """Everything that the ways have in common."""

    session: Session
    corpus: Corpus
    looked: LookedThrough
    second: Deciding | None
    outputs: Sequence[UnwantedOutput]
    how: Looking
    bar: Bar

    def own(self) -> np.ndarray:
        """Self-influence of all passages."""
        with self.bar(way_label(OWN)) as step:
            return scores.own_lengths(self.looked, step)

    def by(self, way: str, own: np.ndarray) -> np.ndarray:
        """All passages' scores by one way (n,); what it says nothing of has none."""
        if way == OWN:
            return np.where(own > 0, own, scores.NONE)
        ask: dict[str, Callable[[Callable[[int, int], None]], np.ndarray]] = {
            OWN_EXACT: lambda step: self._own_exact(own, step),
            TRACKSTAR: self._by_rows,
            TWO_STAGES: lambda step: self._exact_of(self._candidates(), step),
            EKFAC: self._exact_of_all,
            BM25: self._by_words,
        }
        with self.bar(way_label(way)) as step:
            return ask[way](step)

    def _own_exact(self, own: np.ndarray, step: scores.Told) -> np.ndarray:
        usable = np.flatnonzero(own > 0)
        first = usable[np.argsort(-own[usable], kind="stable")]
        rows = np.sort(first[: self.how.exact or None])
        out = np.full(len(own), scores.NONE)
        assert self.second is not None
        more = counting(step, len(rows))
        for some in chunks(rows.tolist(), scores.MOST):
            passages = self._passages(some)
            own_exact = own_influences(self.second.capture, self.second.factors, passages, done=more)
            out[some] = own_exact.numpy()
        return out

    def _encoded(self) -> np.ndarray:
        encoder = self.looked.index.encoder(self.looked.loaded)
        return encoder.encode_queries([each.query for each in self.outputs])

    def _by_rows(self, step: scores.Told) -> np.ndarray:
        pieces = scores.by_rows(self.looked, self._encoded(), step)
        return scores.folded(pieces, self.looked.passages, self.how.over)

    def _candidates(self) -> np.ndarray:
        # All rows, whatever kind the index was made for: of one that looks at a part an audit would have to say so.
        search = open_search(self.looked.index, "exact", device=str(self.looked.loaded.device))
        _, near = search.search(self._encoded(), max(CANDIDATES, self.how.k))
        return np.unique(near[near >= 0])

    def _exact_of(self, rows: np.ndarray, step: scores.Told) -> np.ndarray:
        out = np.full(self.looked.passages, scores.NONE)
        some = self._passages(rows.tolist())
        fold = scores.FOLDS[self.how.over]
        for directions in self._directions():
            found = scores.by_exact(self._capture, directions, some, counting(step, len(some)))
            out[rows] = np.maximum(out[rows], fold.reduce(found, axis=1))  # parts are of the highest only
        return out

    def _exact_of_all(self, step: scores.Told) -> np.ndarray:
        out = np.full(self.looked.passages, scores.NONE)
        fold = scores.FOLDS[self.how.over]
        for directions in self._directions():
            more = counting(step, self.looked.passages)
            for start, some in self.looked.pieces():
                found = fold.reduce(scores.by_exact(self._capture, directions, some, more), axis=1)
                own = out[start : start + len(some)]
                np.maximum(own, found, out=own)
        return out

    def _directions(self) -> Iterable[Any]:
        assert self.second is not None
        texts = self.looked.loaded.texts
        asked = [texts.query(each.query) for each in self.outputs]
        return scores.directions_of(self.second.capture, self.second.factors, asked, self.how.over)

    def _by_words(self, step: scores.Told) -> np.ndarray:
        texts = (text for _, _, text in stream_passages(self.session, self.corpus.id))
        count, out = self.looked.passages, np.full(self.looked.passages, scores.NONE)
        for own in scores.by_words(texts, [each.query for each in self.outputs], count, step):
            both = np.where(np.isfinite(own), own, 0.0) + np.where(np.isfinite(out), out, 0.0)
            either = np.isfinite(own) | np.isfinite(out)
            out = np.where(either, both, scores.NONE) if self.how.over == SUM else np.maximum(out, own)
        return out

    @property
    def _capture(self) -> Any:
        assert self.second is not None
        return self.second.capture

    def _passages(self, rows: Sequence[int]) -> Any:
        found = lessons_at(self.session, self.corpus, rows)
        return self.looked.loaded.texts.passages([found[row] for row in rows])


def lessons_at(session: Session, corpus: Corpus, rows: Sequence[int]) -> dict[int, Lesson]:
    """What the passages in these rows of a corpus teach."""
    found = passages_at(session, corpus, rows)
    return {row: lesson(each.text, each.roles) for row, each in found.items()}


def ranking(way: str, found: np.ndarray, k: int, ids: Sequence[str]) -> AuditRanking:
    """The first k passages that have a score, equal ones by row."""
    there = np.flatnonzero(np.isfinite(found))
    best = there[np.argsort(-found[there], kind="stable")[:k]].tolist()
    return AuditRanking(
        way, best, [ids[row] for row in best], [float(f"{found[row]:.7g}") for row in best], len(there)
    )


def spread_of(own: np.ndarray) -> Spread:
    """How self-influence is spread over the passages that have some."""
    usable = own[own > 0]
    if not len(usable):
        return Spread([], [], len(own))
    powers = np.log10(usable)
    counts, edges = np.histogram(powers, bins=BARS if powers.min() < powers.max() else 1)
    return Spread([round(float(edge), 4) for edge in edges], counts.tolist(), len(own) - len(usable))
