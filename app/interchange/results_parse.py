"""A record of a results file, checked: its values by column of the store, and clear words for what does not fit."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.interchange.records.line import MOST, Line
from app.interchange.records.not_numbers import read_cell
from app.interchange.results_fields import COLUMNS, LISTS, OUTPUT, PROMPT, SIDES, Kind
from app.words.choices import read_weighed

LARGEST = sys.float_info.max
_PROMPT = [field.column for field in PROMPT]
_OUTPUT = [field.column for field in OUTPUT]
_FIELDS = {name: field for field in (*PROMPT, *OUTPUT) for name in field.names}
_KIND = re.compile(r"[ -~]{1,40}")  # what the column takes: a short plain word
_USUAL: dict[Kind, type] = {"text": str, "id": str, "number": float, "truth": bool}
_AS: dict[Kind, type] = {"id": str, "count": int, "number": float, "truth": bool}
_WORDS: dict[Kind, tuple[str, str]] = {
    "text": ("text", "Put it in quotes."),
    "id": ("an id", "Give a text or a whole number."),
    "count": ("a count", f"Give a whole number from 0 to {MOST}."),
    "number": ("a number", "Write it without quotes, or null where it is not known."),
    "truth": ("true or false", "Write true, false or null, without quotes."),
    "texts": ("a list of texts", 'Write it as ["…", "…"].'),
    "weighed": ("what choices weigh", "Leave it out."),
}


@dataclass
class Parsed:
    """One record, checked: values for the columns of its prompt, its output, and the passages of each side."""

    line: Line
    prompt: dict[str, Any]
    output: dict[str, Any]
    sides: dict[str, dict[str, Sequence[Any]]]  # side -> column -> one value a passage

    @property
    def record(self) -> dict[str, Any]:
        """The record as it stands in the file."""
        return self.line.record


def parse(line: Line) -> Parsed:
    """The record's values by column; None where it says nothing.

    Raises:
        UserError: a field is missing, of the wrong kind, or a list not as long as the others of its side.
    """
    if not line.typed:
        line = _typed(line)
    line.text("inputs_plaintext")
    line.text("targets_plaintext")
    rows: dict[str, dict[str, Any]] = {"prompt": dict.fromkeys(_PROMPT), "output": dict.fromkeys(_OUTPUT)}
    record = line.record
    for name, value in record.items():
        field = _FIELDS.get(name)
        if field is None or value is None:
            continue
        if (
            name == field.names[0] or record.get(field.names[0]) is None
        ):  # today's name goes before an older one
            row, column = COLUMNS[name]
            if field.ours and not _fits(field.kind, value):
                continue
            rows[row][column] = _checked(line, name, field.kind, value)
    sides = {side: found for side in SIDES if (found := _side(line, side))}
    return Parsed(line, rows["prompt"], rows["output"], sides)


def _typed(line: Line) -> Line:
    """A record of a table of texts, as a file of records would have it: what is no text is read out of its cell."""
    record: dict[str, Any] = {}
    nulls = Counter[str]()
    for name, text in line.record.items():
        record[name], lost = (text or None, 0) if _kind(name) in ("text", "id", None) else read_cell(text)
        if lost:
            nulls[name] = lost
    return Line(line.file, line.number, record, nulls=nulls or None)


def _kind(name: str) -> Kind | None:
    """What a field's value is, a list's where it is one; None for a field that is not known."""
    return _FIELDS[name].kind if name in _FIELDS else "texts" if name in COLUMNS else None


def _side(line: Line, side: str) -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {}
    length = None
    for rest, (column, kind) in LISTS.items():
        name = side + rest
        values = line.record.get(name)
        if values is None:
            continue
        if not isinstance(values, list):
            raise line.wrong(name, "The field is not a list.", "Write one value for each passage: [ …, … ].")
        if length is None:
            length, first = len(values), name
        elif len(values) != length:
            raise line.wrong(
                name,
                f"It has {len(values)} values, but “{first}” has {length}.",
                "Give one value for each passage, null where it is not known.",
            )
        found[column] = _checked_all(line, name, kind, column, _flat(line, name, values))
    if found and "text" not in found and "external_id" not in found:
        raise line.wrong(
            f"{side}s",
            "The field is missing, though others speak of its passages.",
            "Give the passages' texts.",
        )
    for column in ("text", "external_id"):
        if None in found.get(column, ()):
            at = list(found[column]).index(None)
            name = f"{side}s" if column == "text" else f"{side}_ids"
            raise line.wrong(name, f"Passage {at + 1} of the list is null.", "Leave it out of every list.")
    return found if length else {}  # lists of nothing stand in no row; they are kept as they are


def _flat(line: Line, name: str, values: list[Any]) -> list[Any]:
    """The values; out of their lists where each stands in one of its own, as numpy writes a column (n×1)."""
    if list not in set(map(type, values)):
        return values
    inner = [each for each in values if isinstance(each, list)]
    sizes = {len(each) for each in inner}
    if sizes == {1} and len(inner) == len(values):
        return [each[0] for each in values]
    shape = f"{len(values)}×{sizes.pop()}" if len(sizes) == 1 and len(inner) == len(values) else "ragged"
    raise line.wrong(
        name, f"The list is {shape}: lists in a list.", "Give one value for each passage: [ …, … ]."
    )


def _checked_all(line: Line, name: str, kind: Kind, column: str, values: list[Any]) -> Sequence[Any]:
    kinds = set(map(type, values))
    if kinds == {_USUAL.get(kind)} and column != "kind":
        return values
    if kind == "text" and column not in ("text",):  # our own and the paper's annotations may be anything
        return [
            each if isinstance(each, str) and (column != "kind" or _KIND.fullmatch(each)) else None
            for each in values
        ]
    return [None if each is None else _checked(line, name, kind, each) for each in values]


def _checked(line: Line, name: str, kind: Kind, value: Any) -> Any:
    if type(value) is _USUAL.get(kind):
        return value
    if _fits(kind, value):
        return _AS[kind](value) if kind in _AS else value
    words, remedy = _WORDS[kind]
    raise line.wrong(name, f"{_short(value)} is not {words}.", remedy)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TESTS: dict[Kind, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "id": lambda value: isinstance(value, str) or (_is_number(value) and isinstance(value, int)),
    "count": lambda value: _is_number(value) and 0 <= value <= MOST and value == int(value),
    "number": lambda value: _is_number(value) and abs(value) <= LARGEST,
    "truth": lambda value: (
        isinstance(value, bool) or (_is_number(value) and value in (0, 1))
    ),  # as numpy writes it
    "texts": lambda value: isinstance(value, list) and set(map(type, value)) <= {str},
    "weighed": lambda value: read_weighed(value) is not None,
}


def _fits(kind: Kind, value: Any) -> bool:
    return _TESTS[kind](value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
