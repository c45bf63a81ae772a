"""What a record says of a task that chooses: its choices, and which of them is right.

Under the usual names (`choices`, `label`) both are taken where they have our shape, a list of texts and the number of
the right one from 0; anything else there is kept like any other field, for files use these names for other things.
Under names that the user gave they must have it.
"""

import re
from dataclasses import dataclass

from app.errors import UserError
from app.interchange.fields import Fields
from app.interchange.records import Line
from app.words.choices import FEWEST

CHOICES, LABEL = "choices", "label"


@dataclass(frozen=True)
class Choosing:
    """The choices of one record, the number of the right one, and the fields they stood in."""

    choices: list[str]
    label: int
    fields: tuple[str, ...]

    @property
    def target(self) -> str:
        """The right choice."""
        return self.choices[self.label]


def choosing(line: Line, fields: Fields) -> Choosing | None:
    """The record's choices; None where it has none.

    Raises:
        UserError: a field that the user named is missing or of another shape, or the label names no choice.
    """
    name, which = fields.choices or CHOICES, fields.label or LABEL
    must = bool(fields.choices or fields.label)
    choices = _choices(line, name, must)
    if choices is None:
        return None
    label = line.record.get(which)
    if label is None and not fields.label:
        label = _place_of_target(line, choices, fields)
    written = str(label).strip()
    number = int(written) if re.fullmatch(r"\d{1,9}", written) else None
    if number is not None and number < len(choices):
        return Choosing(choices, number, (name, which))
    if must or number is not None:
        raise line.wrong(
            which,
            f"{written[:40]!r} is not the number of one of {len(choices)} choices.",
            f"Give 0 for the first, up to {len(choices) - 1} for the last.",
        )
    return None


def _choices(line: Line, name: str, must: bool) -> list[str] | None:
    try:
        found = line.texts(name)
    except UserError:
        if must:
            raise
        return None
    if len(found) >= FEWEST:
        return found
    if must:
        raise line.wrong(name, "There are no choices.", "Give a list of two texts or more.")
    return None


def _place_of_target(line: Line, choices: list[str], fields: Fields) -> int | None:
    """Without a label, the choice that the target is; None where it is none."""
    target = line.record.get(fields.target or "target")
    return choices.index(target) if isinstance(target, str) and target in choices else None
