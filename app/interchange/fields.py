"""Which field of a record is what: the usual names in the order in which they are looked for, or the one that was given."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.interchange.records import Line
from app.interchange.records.line import kind_of

OPTIONS = {"id": "--id-field", "text": "--text-field", "prompt": "--prompt-field", "target": "--target-field"}


@dataclass(frozen=True)
class Fields:
    """The names of fields where they are not the usual ones, and the `form` of passages where it is not what they show."""

    id: str = ""
    text: str = ""
    form: str = ""
    prompt: str = ""
    target: str = ""
    choices: str = ""
    label: str = ""


@dataclass
class FieldLookup:
    """One kind of field: found in the first record, then expected in all.

    Args:
        what: the kind, as in `OPTIONS`.
        given: its name, where the user told it.
    """

    what: str
    given: str
    usual: Sequence[str]

    def of(self, line: Line) -> str:
        """The name under which this line has it.

        Raises:
            UserError: it has none; the fields that it has are named.
        """
        if self.given:
            if self.given in line.record:
                return self.given
            raise line.wrong(
                self.given,
                f"There is no such field; there are {_names(line.record)}.",
                f"Name the right one with {OPTIONS[self.what]}.",
            )
        found = next((name for name in self.usual if line.record.get(name) is not None), None)
        if found is None:
            found = next((name for name in self.usual if name in line.record), None)
        if found is None:
            raise line.wrong(
                self.what,
                f"There is no {self.what}; the fields are {_names(line.record)}.",
                f"Name the field with {OPTIONS[self.what]}.",
            )
        return found

    def text(self, line: Line) -> tuple[str, str]:
        """The field's name, and the text in it.

        Raises:
            UserError: it has none, or what is no text.
        """
        name = self.of(line)
        value = line.record[name]
        if not isinstance(value, str):
            raise line.wrong(name, f"It is {kind_of(value)}, not text.", "Give a text, in quotes.")
        return name, value


@dataclass
class RecordIds:
    """Gives every record its id: its own, or its number from 0 where no record has one. Each id stands once.

    What the first record has decides for all: half of the ids made up would be found by nobody.

    Args:
        before: ids that stand already, before the first record; numbers go on after them.
    """

    given: str
    usual: Sequence[str]
    before: Collection[str] = ()
    name: str | None = None  # where the ids stand; None: nowhere
    _count: int = 0
    _seen: dict[str, tuple[Any, int]] = field(default_factory=dict)

    def of(self, line: Line) -> str:
        """The id of the next record.

        Raises:
            UserError: it is no id, stands twice, or some records have one and others not.
        """
        if not self._count:
            self.name = self.given or next((name for name in self.usual if name in line.record), None)
        self._count += 1
        if self.name is None:
            if other := next((name for name in self.usual if name in line.record), None):
                raise line.wrong(
                    other, "The line has an id, those before it have none.", "Give every line an id, or none."
                )
            return self._new(line, str(len(self.before) + self._count - 1))
        id_ = self._new(line, self._own(line, self.name))
        if id_ in self._seen:
            file, number = self._seen[id_]
            place = f"line {number}" if file == line.file else f"line {number} of {file}"
            raise line.wrong(
                self.name, f"The id “{id_}” stands on {place} already.", "Give every line an id of its own."
            )
        self._seen[id_] = (line.file, line.number)
        return id_

    def _new(self, line: Line, id_: str) -> str:
        if id_ in self.before:
            raise line.wrong(
                self.name or "id",
                f"A passage that comes before has the id “{id_}” already.",
                "Give every passage an id of its own, in a field that --id-field names.",
            )
        return id_

    def _own(self, line: Line, name: str) -> str:
        value = line.record.get(name)
        if value is None or value == "":
            fields = f"; there are {_names(line.record)}" if self.given and name not in line.record else ""
            raise line.wrong(
                name,
                f"The line has no id{fields}.",
                f"Give every line a field {name}, or name it with --id-field.",
            )
        if isinstance(value, bool) or not isinstance(value, str | int):
            shown = str(value) if isinstance(value, float) else kind_of(value)
            raise line.wrong(name, f"{shown} is not an id.", "Give a text or a whole number.")
        return str(value)


def renamed(lines: Iterable[Line], fields: Fields, usual: Mapping[str, str]) -> Iterator[Line]:
    """Each record with the fields that the user named under their usual names.

    Args:
        usual: what kinds of fields these are, as in `OPTIONS`, and what each is called.

    Raises:
        UserError: a record lacks one, or has a field of the usual name besides.
    """
    given = {what: name for what in usual if (name := getattr(fields, what))}
    return _renamed(lines, given, usual) if given else iter(lines)


def _renamed(lines: Iterable[Line], given: Mapping[str, str], usual: Mapping[str, str]) -> Iterator[Line]:
    lookups = [FieldLookup(what, name, ()) for what, name in given.items()]
    try:
        for line in lines:
            names = {lookup.of(line): usual[lookup.what] for lookup in lookups}
            for what, name in given.items():
                if usual[what] in line.record and usual[what] not in names:
                    raise line.wrong(
                        name,
                        f"The record has “{usual[what]}”, too.",
                        f"Leave out {OPTIONS[what]}, or remove one of the two.",
                    )
            yield replace(line, record={names.get(name, name): value for name, value in line.record.items()})
    finally:
        if isinstance(
            lines, Generator
        ):  # else an error would keep the file open for as long as somebody looks at it
            lines.close()


def rest(record: Mapping[str, Any], *used: str | None) -> dict[str, Any]:
    """The fields of a record that were not used."""
    return {name: value for name, value in record.items() if name not in used}


def _names(record: Mapping[str, Any]) -> str:
    return ", ".join(f"“{name}”" for name in list(record)[:12]) or "none"
