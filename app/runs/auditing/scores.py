"""Every passage's score, by each way an audit looks: in pieces, so that memory holds a number a passage and no more.

G(z) = R^(-1/2) P_d (∇L(z) / √V)      what an index keeps, divided by its length
self-influence  = G(z) · G(z)          or ∇L · (H + damping)⁻¹ ∇L, without a projection
on an output q  = Ĝ(z) · Ĝ(q)          or ∇L(z) · (H + damping)⁻¹ ∇L(q)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from app.curvature.factors import Factors
from app.curvature.influence import influences, preconditioned
from app.curvature.many import products, stacked
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.text import Query
from app.retrieval.bm25 import BM25
from app.showing import counting
from app.store.chunks import chunks
from app.trackstar.index import TrackstarIndex
from app.words.auditing import MAX, SUM
from app.words.roles import Lesson

ROOM = 64 << 20  # bytes of rows or gradients that stand in memory together
MOST = 2_048  # passages of a piece
AT_ONCE = 16  # outputs whose directions stand in memory together
NONE = -np.inf  # the score of what has none
FOLDS = {SUM: np.add, MAX: np.maximum}

Told = Callable[[int, int], None]
Pieces = Iterator[tuple[int, np.ndarray]]
"""The row of the first passage of a piece, and scores (passages, outputs)."""


@dataclass(frozen=True)
class LookedThrough:
    """What is looked through: an index with its model, and its passages, read anew each time they are asked for."""

    index: TrackstarIndex
    loaded: LoadedModel
    lessons: Callable[[], Iterable[Lesson]]

    @property
    def passages(self) -> int:
        """How many there are."""
        return self.index.manifest.passages

    @property
    def piece(self) -> int:
        """Passages whose rows stand in memory together."""
        return max(1, min(MOST, ROOM // (4 * self.index.manifest.dimension)))

    def pieces(self) -> Iterator[tuple[int, list[TrainingExample]]]:
        """All passages as the model reads them, with the row of the first of each piece."""
        for number, some in enumerate(chunks(self.lessons(), self.piece)):
            yield number * self.piece, self.loaded.texts.passages(some)


def own_lengths(looked: LookedThrough, told: Told) -> np.ndarray:
    """G · G of each passage (n,) float64; of rows without their lengths, from the passages' gradients again."""
    out = np.zeros(looked.passages)
    more = counting(told, looked.passages)
    if not looked.index.manifest.method.unit_norm:
        scale = looked.index.manifest.row_scale
        for start, rows in _stored(looked):
            out[start : start + len(rows)] = (rows.astype(np.float64) ** 2).sum(1) / scale**2
            more(len(rows))
        return out
    encoder = looked.index.encoder(looked.loaded)
    for start, examples in looked.pieces():
        squares = encoder.whiten(encoder.gradients(examples, done=more)).double().square().sum(1)
        out[start : start + len(squares)] = torch.where(squares.isfinite(), squares, 0.0).numpy()
    return out


def by_rows(looked: LookedThrough, encoded: np.ndarray, told: Told) -> Pieces:
    """Ĝ(z) · Ĝ(q) of all passages with the outputs' encodings (q, d); passages that are no hits have none."""
    blank = np.asarray(looked.index.manifest.zero_rows, dtype=np.int64)
    more = counting(told, looked.passages)
    for start, rows in _stored(looked):
        scores = rows @ encoded.T / np.float32(looked.index.manifest.row_scale)
        scores[np.isin(np.arange(start, start + len(rows)), blank)] = NONE
        yield start, scores
        more(len(rows))


def by_exact(
    capture: Capture,
    directions: Sequence[Sequence[torch.Tensor]],
    passages: Sequence[TrainingExample],
    done: Callable[[int], None],
) -> np.ndarray:
    """∇L(z) · u of some passages with some directions, (passages, directions) float64."""
    if len(directions) == 1:  # no passage's gradient is formed
        exact: np.ndarray = influences(capture, directions[0], passages, done=done).numpy()[:, None]
    else:
        exact = products(capture, stacked(directions), passages, done=done)[0].numpy()
    exact[[not each.targets for each in passages]] = NONE
    return exact


def directions_of(
    capture: Capture, factors: Mapping[str, Factors], outputs: Sequence[TrainingExample], over: str
) -> Iterator[list[list[torch.Tensor]]]:
    """Some outputs' (H + damping)⁻¹ ∇L at a time; where scores are added up, all of them are one direction."""
    each = (preconditioned(capture, factors, output) for output in outputs)
    if over == SUM:
        total = next(each)
        for own in each:
            total = [one.add_(other) for one, other in zip(total, own, strict=True)]
        yield [total]
        return
    yield from chunks(each, AT_ONCE)


def by_words(texts: Iterable[str], outputs: Sequence[Query], count: int, told: Told) -> Iterator[np.ndarray]:
    """BM25 of all passages for one output after another, (n,); those that share no word have none."""
    bm25 = BM25.build(texts)
    for done, output in enumerate(outputs, 1):
        values, rows = (found[0] for found in bm25.search([output.joined], count))
        scores = np.full(count, NONE)
        scores[rows[rows >= 0]] = values[rows >= 0]
        yield scores
        told(done, len(outputs))


def folded(pieces: Pieces, count: int, over: str) -> np.ndarray:
    """One score a passage (n,) out of its scores for each output."""
    out = np.full(count, NONE)
    for start, scores in pieces:
        out[start : start + len(scores)] = FOLDS[over].reduce(scores, axis=1, dtype=np.float64)
    return out


def _stored(looked: LookedThrough) -> Pieces:
    """The index's rows as they are stored, in pieces."""
    for start in range(0, looked.passages, looked.piece):
        rows = np.arange(start, min(start + looked.piece, looked.passages))
        yield start, looked.index.take(rows)
