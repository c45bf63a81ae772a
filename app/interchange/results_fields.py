"""The paper's results format: which field of a record stands in which column of the store. Pure.

One record is one prompt with what was retrieved for it (https://github.com/PAIR-code/pretraining-tda). Older files
use other names for the same things; both are read, and written back as they came. Some fields are ours: `model_answer`,
`target_probability`, `entailing_passage_ids` (which passages of the corpus state the fact), of tasks that choose `choices`,
`label` and `weighed_choices`, and of passages `_types`, `_tail_patches` and `_halves`.

A record comes back as it was by one rule: a value that a column gives back exactly lives in the column, anything else
(an unknown field, a null, `1` where the column holds `1.0`) is kept as it is in `Result.extra`, and the order of the
fields beside it.
"""

import difflib
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.interchange.records.line import MOST, Line
from app.words.choices import read_weighed

LARGEST = sys.float_info.max
Kind = Literal["text", "id", "count", "number", "truth", "texts", "weighed"]


@dataclass(frozen=True)
class RecordField:
    """A field of a record, under today's name and older ones, and the column it is kept in.

    Args:
        ours: no other tool's files need mean this by it; what is not of the kind is kept as it is, never refused.
    """

    names: tuple[str, ...]
    column: str
    kind: Kind
    ours: bool = False


PROMPT = (
    RecordField(("example_id", "trex_id"), "external_id", "id"),
    RecordField(("inputs_plaintext",), "text", "text"),
    RecordField(("targets_plaintext",), "target", "text"),
    RecordField(("task",), "task", "text"),
    RecordField(("fact_id",), "fact_id", "id"),
    RecordField(("relation",), "relation", "text"),
    RecordField(("subject",), "subject", "text"),
    RecordField(("aliases",), "aliases", "texts"),
    RecordField(("groundtruth", "ground_truth"), "ground_truth", "text"),
    RecordField(("c4_frequency", "fact_frequency"), "frequency", "count"),
    RecordField(("c4_frequency_bucket", "frequency_bucket"), "frequency_bucket", "count"),
    RecordField(("has_trex_sentence",), "stated", "truth"),
    RecordField(("choices",), "choices", "texts", ours=True),
    RecordField(("label",), "label", "count", ours=True),
)
OUTPUT = (
    RecordField(("8b_generations", "temperature_samples"), "samples", "texts"),
    RecordField(("8b_confidence", "model_confidence"), "confidence", "number"),
    RecordField(("is_8b_correct",), "correct", "truth"),
    RecordField(("model_answer",), "answer", "text"),
    RecordField(("target_probability",), "probability", "number"),
    RecordField(("weighed_choices",), "weighed", "weighed", ours=True),
)
SIDES = ("proponent", "opponent")
# Lists as long as `proponents`: what follows "proponent" in the name -> column and kind of the items.
LISTS: dict[str, tuple[str, Kind]] = {
    "s": ("text", "text"),
    "_ids": ("external_id", "id"),
    "_scores": ("score", "number"),
    "_correct": ("correct", "truth"),
    "_ais_scores": ("ais_score", "number"),
    "_ais_best_windows": ("ais_window", "text"),
    "_ranks": ("original_rank", "count"),
    "_types": ("kind", "text"),
    "_tail_patches": ("tail_patch", "number"),
    "_halves": ("halves", "count"),
}
KEPT = (  # known, and no column gives them back as they came
    "query_set",
    "entailing_passage_ids",
    "chance_floor",
    "above_chance",
    "chance",
    "contrast",
)
COLUMNS: dict[str, tuple[str, str]] = {  # name of a field -> row and column
    **{name: ("prompt", field.column) for field in PROMPT for name in field.names},
    **{name: ("output", field.column) for field in OUTPUT for name in field.names},
    **{side + rest: (side, column) for side in SIDES for rest, (column, _) in LISTS.items()},
}
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
    inner = [each for each in values if isinstance(each, list)]
    if not inner:
        return values
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


def _fits(kind: Kind, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "text": isinstance(value, str),
        "id": isinstance(value, str) or (number and isinstance(value, int)),
        "count": number and 0 <= value <= MOST and value == int(value),
        "number": number and abs(value) <= LARGEST,
        "truth": isinstance(value, bool) or (number and value in (0, 1)),  # as numpy writes it
        "texts": isinstance(value, list) and all(isinstance(each, str) for each in value),
        "weighed": read_weighed(value) is not None,
    }
    return fits[kind]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def unknown(names: Iterable[str]) -> dict[str, str]:
    """The names that are no field's, in order, each with the field whose name is nearest; empty where none is near."""
    found = {}
    for name in names:
        if name not in COLUMNS and name not in KEPT:
            near = difflib.get_close_matches(name.lower(), [*COLUMNS, *KEPT], n=1, cutoff=0.8)
            found[name] = near[0] if near else ""
    return found


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
        # Nearly every list is the one that is stored; only a zero's sign then needs a look.
        return (stored is value and 0.0 not in value) or all(map(exactly, stored, value))
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
