"""What the first of two stages may miss, measured once for an index and kept beside its factors. Knows no torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.curvature.place import FACTORS
from app.errors import UserError
from app.files import write_json

RECALL = "recall.json"


@dataclass(frozen=True)
class CandidateRecall:
    """How many of the passages that EK-FAC over all would put first are among a first stage's candidates.

    Args:
        share: of the first `first`, the mean over questions; `low` to `high` is its 95 % interval.
        questions: how many were asked, of the prompt set `prompts`.
        candidates: of the first stage. passages: among which; of a corpus that grew since, it says nothing.
    """

    share: float
    low: float
    high: float
    questions: int
    prompts: str
    first: int
    candidates: int
    passages: int


def keep_recall(index: Path, recall: CandidateRecall) -> None:
    """Keep it beside the index's factors."""
    write_json(index / FACTORS / RECALL, asdict(recall))


def recall_of(index: Path) -> CandidateRecall | None:
    """What was measured of this index; None where nothing was.

    Raises:
        UserError: the file is damaged.
    """
    file = index / FACTORS / RECALL
    if not file.is_file():
        return None
    try:
        return CandidateRecall(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"It is damaged: {error}.", file=file, remedy="Remove it, and measure again."
        ) from None
