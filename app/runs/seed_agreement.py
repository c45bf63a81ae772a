"""How firm a run's lists are: would the same passages come first by another random projection?

The rows of each block's left projection are drawn independently of each other, so the even ones and the odd ones are
two projections of one gradient that know nothing of each other, and both stand in the index already. What comes first
by one half and by the other owes its place to the gradient; what comes by one alone, in part to the draw. Each half
has half the numbers, so two whole projections agree somewhat more than the halves do: the figure errs on the side of
doubt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import UserError
from app.retrieval.ranking import BestRows
from app.runs.inputs import RunInputs
from app.runs.saving import PromptRanking, Recurrence
from app.store.chunks import chunks
from app.store.tables import Passage, Result, Retrieved, Run
from app.trackstar.index import TrackstarIndex

FIRST = 10  # places of a list that are looked at
CHUNK = 2_048  # rows scored at a time
CHEAP = 3e11  # products of two numbers, some twenty seconds of one core: what a run spends on it without being asked


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


def measure_agreement(
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
    queries = encoder.encode_against(
        [inputs.queries[at] for at in prompts], [inputs.others[at] for at in prompts]
    )
    ids = [inputs.prompts[at].id for at in prompts]
    own = [[place.row for place in lists[id_]] for id_ in ids]
    told = recurrences(own, *first_by_halves(index, queries, progress))
    return keep(session, run, dict(zip(ids, told, strict=True)))


def keep(session: Session, run: Run, told: Mapping[int, Recurrence]) -> SeedAgreement:
    """Keep with each passage of the run how it recurs, and with the run's figures what that comes to.

    Args:
        told: by prompt.
    """
    lists = {id_: places for id_, places in _lists(session, run).items() if id_ in told}
    rows = [
        {"result_id": place.result, "side": "proponent", "rank": rank, "halves": halves}
        for id_, places in lists.items()
        for rank, (place, halves) in enumerate(zip(places, told[id_].halves, strict=False), 1)
    ]
    for piece in chunks(rows, CHUNK):
        session.execute(update(Retrieved), piece)
    judged = [[place.correct for place in places] for places in lists.values()]
    agreement = agreement_of([told[id_] for id_ in lists], judged)
    run.metrics = {**run.metrics, "doubt": asdict(agreement)}
    return agreement


def with_recurrence(
    index: TrackstarIndex, queries: np.ndarray, rankings: Sequence[PromptRanking]
) -> list[PromptRanking]:
    """The rankings by the index of queries (n, d), each with how its first proponents recur."""
    own = [list(each.proponents.rows)[:FIRST] for each in rankings]
    told = recurrences(own, *first_by_halves(index, queries, lambda done, total: None))
    return [replace(each, recurrence=how) for each, how in zip(rankings, told, strict=True)]


def is_cheap(index: TrackstarIndex, queries: int) -> bool:
    """Whether ranking by halves takes so little that a run does it without being asked."""
    return float(queries) * index.manifest.passages * index.manifest.dimension <= CHEAP


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


def recurrences(own: Sequence[Sequence[int]], one: np.ndarray, other: np.ndarray) -> list[Recurrence]:
    """How the rows of each list recur among what either half puts first (n, ≤ FIRST; -1: no row)."""
    told = []
    for rows, left, right in zip(own, one.tolist(), other.tolist(), strict=True):
        first, second = set(left) - {-1}, set(right) - {-1}
        told.append(
            Recurrence(
                halves=tuple((row in first) + (row in second) for row in rows),
                overlap=len(first & second) / max(1, len(first)),
            )
        )
    return told


def agreement_of(told: Sequence[Recurrence], judged: Sequence[Sequence[bool | None]]) -> SeedAgreement:
    """What the lists come to; `judged` says of the passages of each whether they state the fact."""
    both = [halves == 2 for each in told for halves in each.halves]
    correct = [one for each, own in zip(told, judged, strict=True) for one in own[: len(each.halves)]]

    def share(wanted: bool) -> float | None:
        chosen = [each for each, known in zip(both, correct, strict=True) if known is wanted]
        return sum(chosen) / len(chosen) if chosen else None

    return SeedAgreement(
        prompts=len(told),
        overlap=sum(each.overlap for each in told) / max(1, len(told)),
        both=sum(both) / max(1, len(both)),
        stating=share(True),
        others=share(False),
    )


@dataclass(frozen=True)
class _Place:
    """One proponent of a run: whose it is, its row in the corpus, and whether it states the fact."""

    result: int
    row: int
    correct: bool | None


def _lists(session: Session, run: Run) -> dict[int, list[_Place]]:
    """The first proponents of each prompt, in rank order."""
    query = (
        select(Result.prompt_id, Result.id, Passage.position, Retrieved.correct)
        .join(Retrieved, Retrieved.result_id == Result.id)
        .join(Passage, Passage.id == Retrieved.passage_id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent", Retrieved.rank <= FIRST)
        .order_by(Result.position, Retrieved.rank)
    )
    lists: dict[int, list[_Place]] = {}
    for prompt, result, row, correct in session.execute(query):
        lists.setdefault(prompt, []).append(_Place(result, row, correct))
    return lists
