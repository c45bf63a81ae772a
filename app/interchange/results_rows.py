"""The rows of one record of a results file: its result, and the passages retrieved for it; pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from app.interchange.results_fields import RETRIEVED
from app.words.chance import read_chance

_SUMMARY = ("top_score", "first_correct_rank", "best_ais", "tail_patch")
_TOLD = ("chance_floor", "above_chance", "chance", "contrast")
RESULT = ("id", "run_id", "prompt_id", "position", *_SUMMARY, *_TOLD, "extra", "fields")


def told(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What our own exports say of a ranking beside its passages, in the order of `_TOLD`; it is kept as it came, too."""
    chance, contrast = read_chance(record.get("chance")), record.get("contrast")
    known = (chance.floor, chance.above, chance.as_dict()) if chance else (None, None, None)
    return (*known, contrast if isinstance(contrast, str) else None)


def summary(columns: dict[str, Any]) -> tuple[float | None, ...]:
    """What browsing shows of the proponents, in the order of `_SUMMARY`."""
    scores, correct = columns.get("score", ()), columns.get("correct", ())
    ais = [each for each in columns.get("ais_score", ()) if each is not None]
    patches = [each for each in columns.get("tail_patch", ()) if each is not None]
    return (
        scores[0] if scores else None,
        next((rank for rank, each in enumerate(correct, 1) if each), None),
        max(ais, default=None),
        sum(patches) / len(patches) if patches else None,
    )


def judged(
    columns: Mapping[str, Sequence[Any]], passages: list[tuple[int, str]], stating: set[int]
) -> dict[str, Sequence[Any]]:
    """The columns, each passage that the file did not judge judged by whether it states the fact."""
    said = columns.get("correct", [None] * len(passages))
    known = [
        each if each is not None else id_ in stating for each, (id_, _) in zip(said, passages, strict=True)
    ]
    return {**columns, "correct": known}


def places(result: int, side: str, columns: dict[str, Any], passages: list[int]) -> Iterator[tuple[Any, ...]]:
    """One passage each, by rank from 1."""
    nothing = [None] * len(passages)
    values = (columns.get(name, nothing) for name in RETRIEVED)
    return zip(repeat(result), repeat(side), range(1, len(passages) + 1), passages, *values, strict=False)
