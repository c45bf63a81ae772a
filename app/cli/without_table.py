"""Predicted and measured without some passages, as a table and as a document."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from app.tracing.without import AskedOf, PredictedChange
from app.words.saying import from_log, number, score, signed


def table(asked: Sequence[AskedOf], told: Sequence[PredictedChange], result: dict[str, Any] | None) -> Table:
    """A row a prompt: predicted with its interval, and measured."""
    shown = Table("prompt", "predicted change of log p", "95 %", "measured", "probability")
    for each in document(asked, told, result)["prompts"]:
        one = PredictedChange.model_validate(each["predicted"])
        said = signed(one.change, 2) if one.change is not None else f"sum {score(one.total)}"
        sure = f"{number(one.low)} to {number(one.high)}" if one.change is not None else "not known"
        after = "" if result is None else f"{from_log(each['before'])} → {from_log(each['after'])}"
        shown.add_row(
            Text(f"{each['prompt']}{each['completion']}"), said, sure, signed(each.get("change"), 2), after
        )
    return shown


def document(
    asked: Sequence[AskedOf], told: Sequence[PredictedChange], result: dict[str, Any] | None
) -> dict[str, Any]:
    """The same for scripts; what it takes to train it again stands beside, once it is trained."""
    measured = result["prompts"] if result else [{} for _ in asked]
    rows = []
    for one, predicted, both in zip(asked, told, measured, strict=True):
        change = {"change": both["after"] - both["before"]} if both else {}
        rows.append({**one.model_dump(), "predicted": predicted.model_dump(), **both, **change})
    rest = {name: value for name, value in (result or {}).items() if name != "prompts"}
    return {"prompts": rows, **rest}
