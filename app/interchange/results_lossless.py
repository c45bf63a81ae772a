"""A record comes back as it was: what columns give back exactly lives in them, all else is kept as it is. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.interchange.results_fields import COLUMNS, LISTS, OUTPUT, PROMPT, SIDES


def leftover(record: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of a record that its rows do not give back exactly.

    Args:
        rows: "prompt", "output" and each side -> column -> the value (for a side: the list) that is stored.
    """
    left = {}
    for name, value in record.items():
        place = COLUMNS.get(name)
        if place is None or value is None or not exactly(rows[place[0]].get(place[1]), value):
            left[name] = value
    return left


def exactly(stored: Any, value: Any) -> bool:
    """Whether two JSON values are the same to the last detail: `1` is not `1.0`, nor `0.0` `-0.0`, nor `1` true."""
    if type(stored) is not type(value):
        return False
    if isinstance(value, list):
        if len(stored) != len(value):
            return False
        # Nearly every list is the one that is stored, or one of texts; only a zero's sign then needs a look.
        if (stored is value and 0.0 not in value) or set(map(type, value)) == {str}:
            return bool(stored == value)
        return all(map(exactly, stored, value))
    if isinstance(value, float):
        # SQLite forgets the sign of a zero.
        return stored == value and (
            value != 0.0 or math.copysign(1.0, value) == math.copysign(1.0, stored) == 1.0
        )
    return bool(stored == value)


def rebuild(
    names: Iterable[str], extra: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The record with these fields, in this order: kept values first of all, then what the columns say."""
    record = {}
    for name in names:
        if name in extra:
            record[name] = extra[name]
        elif name in COLUMNS:
            row, column = COLUMNS[name]
            record[name] = rows[row].get(column)
    return record


def usual_names(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """For a result that came from no file: today's name of every field that has a value."""
    names = [field.names[0] for field in PROMPT if _says(rows["prompt"].get(field.column))]
    names += [field.names[0] for field in OUTPUT if _says(rows["output"].get(field.column))]
    for side in SIDES:
        own = rows[side]
        if own.get("text"):
            names += [side + rest for rest, (column, _) in LISTS.items() if _says_any(own.get(column))]
    return names


def _says(value: Any) -> bool:
    return value is not None and value != []


def _says_any(values: Sequence[Any] | None) -> bool:
    return values is not None and any(value is not None for value in values)
