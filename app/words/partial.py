"""What is said of a search that looks at a part of the rows: which part, and how much of the best is in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SearchedPart:
    """The part of an index's rows that is looked at for proponents, as it was measured when the lists were made.

    Args:
        lists: that are looked at. of: so many there are.
        share: of the rows, the mean over questions (0..1).
        recall: the share of the ten best of all rows that are found (0..1), by the worse half of the questions.
        asked: so many questions.
    """

    lists: int
    of: int
    share: float
    recall: float
    asked: int

    @property
    def said(self) -> str:
        """For people."""
        return (
            f"Proponents were looked for in a part of the passages only: those in {self.lists:,} of {self.of:,} lists, about"
            f" {self.share:.0%} of them. {self.asked:,} questions asked of this index found {self.recall:.1%} of their ten best"
            " so; others that influenced the answer as much may be missing, and are not counted. Opponents, where they"
            " were asked for, were looked for among all."
        )


def configured(part: SearchedPart | None) -> dict[str, Any]:
    """What a run's configuration says of the part; nothing where it is all."""
    return {"searched_part": {**asdict(part), "said": part.said}} if part else {}


def said_of(configuration: Mapping[str, Any]) -> str:
    """What a run's configuration says of the part, for people; nothing where it is all."""
    part = configuration.get("searched_part")
    return str(part.get("said", "")) if isinstance(part, dict) else ""
