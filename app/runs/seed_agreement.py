"""How firm a run's lists are: would the same passages come first by another random projection?

The rows of each block's left projection are drawn independently of each other, so the even ones and the odd ones are
two projections of one gradient that know nothing of each other, and both stand in the index already. What comes first
by one half and by the other owes its place to the gradient; what comes by one alone, in part to the draw. Each half
has half the numbers, so two whole projections agree somewhat more than the halves do: the figure errs on the side of
doubt.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.runs.inputs import RunInputs
from app.runs.ranking.streamed import BestRows
from app.store.tables import Passage, Result, Retrieved, Run
from app.trackstar.index import TrackstarIndex

FIRST = 10  # places of a list that are looked at
CHUNK = 2_048  # rows scored at a time


@dataclass(frozen=True)
class SeedAgreement:
    """Over so many prompts, of the first ten places, shares (0..1).

    Args:
        overlap: of one half's first ten that are among the other's.
        both: of the run's own first ten that come first by either half.
        stating, others: the same of passages that state the fact, and of others, where it is known; None elsewhere.
    """

    prompts: int
    overlap: float
    both: float
    stating: float | None
    others: float | None


def measure_doubt(
    session: Session, inputs: RunInputs, run: Run, progress: Callable[[int, int], None]
) -> SeedAgreement:
    """Rank all passages by either half of the index's projection, and keep the outcome with the run's figures.

    Raises:
        UserError: the run was not made with this index's own encodings.
    """
    index = inputs.index
    if (
        run.index_name != index.path.name
        or run.configuration.get("method") != index.manifest.method.as_dict()
    ):
        raise UserError(
            f"The lists of “{run.slug}” are not in the order of the encodings of the index “{index.path.name}”.",
            field="run",
            remedy="Name a run that `startrail retrieve` made with the index's own method.",
        )
    lists = _lists(session, run)
    prompts = [at for at, prompt in enumerate(inputs.prompts) if prompt.id in lists]
    encoder = index.encoder(inputs.loaded)
    queries = encoder.encode_queries([inputs.queries[at] for at in prompts])
    own = [lists[inputs.prompts[at].id] for at in prompts]
    firsts = first_by_halves(index, queries, progress)
    doubt = doubt_of(own, *firsts)
    run.metrics = {**run.metrics, "doubt": asdict(doubt)}
    return doubt


def halves(index: TrackstarIndex) -> tuple[np.ndarray, np.ndarray]:
    """Which numbers of a row (d,) come of the even rows of the left projections, and which of the odd ones."""
    side = index.manifest.method.projection_dim
    even = np.arange(index.manifest.dimension) // side % side % 2 == 0
    return even, ~even


def first_by_halves(
    index: TrackstarIndex, queries: np.ndarray, progress: Callable[[int, int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """For either half, the rows (n, ≤ FIRST) that come first for each query (n, d)."""
    masks = halves(index)
    best = [BestRows.empty(len(queries), FIRST) for _ in masks]
    blank = np.asarray(index.manifest.zero_rows, dtype=np.int64)
    for start in range(0, index.manifest.passages, CHUNK):
        rows = np.arange(start, min(start + CHUNK, index.manifest.passages))
        encoded = index.take(rows)
        for mask, kept in zip(masks, best, strict=True):
            half = encoded[:, mask]
            if index.manifest.method.unit_norm:
                half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), np.finfo(np.float32).tiny)
            scores = queries[:, mask] @ half.T
            scores[:, np.isin(rows, blank)] = -np.inf
            kept.offer(scores, start)
        progress(int(rows[-1]) + 1, index.manifest.passages)
    return best[0].rows, best[1].rows


def doubt_of(
    own: Sequence[Sequence[tuple[int, bool | None]]], one: np.ndarray, other: np.ndarray
) -> SeedAgreement:
    """The figures of lists, each of rows with whether they state the fact, beside what either half puts first."""
    common, both, judged = [], [], []
    for places, left, right in zip(own, one, other, strict=True):
        shared = set(left.tolist()) & set(right.tolist()) - {-1}
        common.append(len(shared) / max(1, int((left >= 0).sum())))
        both += [row in shared for row, _ in places]
        judged += [correct for _, correct in places]

    def share(wanted: bool) -> float | None:
        chosen = [each for each, correct in zip(both, judged, strict=True) if correct is wanted]
        return sum(chosen) / len(chosen) if chosen else None

    return SeedAgreement(
        prompts=len(own),
        overlap=sum(common) / max(1, len(common)),
        both=sum(both) / max(1, len(both)),
        stating=share(True),
        others=share(False),
    )


def _lists(session: Session, run: Run) -> dict[int, list[tuple[int, bool | None]]]:
    """The first proponents of each prompt as rows of the corpus, with whether they state the fact."""
    query = (
        select(Result.prompt_id, Passage.position, Retrieved.correct)
        .join(Retrieved, Retrieved.result_id == Result.id)
        .join(Passage, Passage.id == Retrieved.passage_id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent", Retrieved.rank <= FIRST)
        .order_by(Result.position, Retrieved.rank)
    )
    lists: dict[int, list[tuple[int, bool | None]]] = {}
    for prompt, row, correct in session.execute(query):
        lists.setdefault(prompt, []).append((row, correct))
    return lists
