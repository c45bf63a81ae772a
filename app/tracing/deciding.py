"""The second of two stages for questions: what the index's rows found is ordered by EK-FAC's exact influence."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from app.curvature.deciding import CANDIDATES
from app.curvature.recall import recall_of
from app.models.text import Query
from app.tracing.loaded import LoadedIndex, Sides
from app.tracing.trace_results import Hit, Ranking, TwoStages
from app.tracing.training import texts_of
from app.words.methods import TRACKSTAR, TWO_STAGES


def depth(loaded: LoadedIndex, k: int) -> int:
    """How many passages a first stage is asked for: as many as are shown, or all candidates."""
    return max(CANDIDATES, k) if loaded.deciding else k


def decided(
    session: Session,
    loaded: LoadedIndex,
    queries: Sequence[Query],
    sides: Sequence[Sides],
    ids: Mapping[int, int],
    k: int,
) -> list[Ranking]:
    """The candidates of each side in their order by exact influence, the first `k`; nothing where nothing decides.

    Args:
        queries: the target, and what it is contrasted with. sides: of the target, or of the difference and of either.
        ids: passage ids of rows.
    """
    second = loaded.deciding
    if second is None:
        return []
    asked = [loaded.model.texts.query(query) for query in queries]
    wanted = [tuple(asked)] if len(asked) == 1 else [tuple(asked), *((one,) for one in asked)]
    found = []
    for own, (proponents, opponents, chance) in zip(wanted, sides, strict=True):
        direction = second.direction(*own)
        both = []
        for candidates, opposing in ((proponents, False), (opponents, True)):
            rows = np.array([row for row, _ in candidates], dtype=np.int64)
            texts = texts_of(session, [ids[int(row)] for row in rows])
            passages = loaded.model.texts.passages([texts[ids[int(row)]] for row in rows])
            scores, best = second.order(direction, passages, rows, k, opponents=opposing)
            both.append(_hits(best, scores, dict(candidates), ids))
        found.append(Ranking(proponents=both[0], opponents=both[1], chance=chance))
    return found


def stages_of(loaded: LoadedIndex, k: int) -> TwoStages | None:
    """What is said of the stages beside an answer with `k` passages; None where there is one only."""
    if loaded.deciding is None:
        return None
    passages = loaded.index.manifest.passages
    recall = recall_of(loaded.index.path)  # it may have been measured since the index was loaded
    return TwoStages(
        found_by=TRACKSTAR,
        decided_by=TWO_STAGES,
        candidates=min(depth(loaded, k), passages),
        damping=loaded.deciding.damping,
        recall=recall if recall and recall.passages == passages else None,
    )


def _hits(
    rows: np.ndarray, scores: np.ndarray, first: Mapping[int, float], ids: Mapping[int, int]
) -> list[Hit]:
    return [
        Hit(rank=at, score=float(score), passage_id=ids[int(row)], found=first[int(row)])
        for at, (row, score) in enumerate(zip(rows, scores, strict=True), 1)
    ]
