"""What records said beyond our columns, as a column of a filter: `extra` of the result, else of its prompt.

A value of another kind than the one that is asked for is as good as none: neither equal nor unequal.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Double, Integer, Text, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

_SQLITE = {
    "text": "CASE WHEN json_type({x}, {p}) = 'text' THEN json_extract({x}, {p}) END",
    "number": "CASE WHEN json_type({x}, {p}) IN ('integer', 'real') THEN json_extract({x}, {p}) END",
    "boolean": "CASE json_type({x}, {p}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
    "length": "CASE WHEN json_type({x}, {p}) = 'array' THEN json_array_length({x}, {p}) END",
    "any": "CASE WHEN json_type({x}, {p}) <> 'null' THEN 1 END",
}
_POSTGRESQL = {
    "text": "CASE WHEN json_typeof({x} #> {p}) = 'string' THEN {x} #>> {p} END",
    "number": "CASE WHEN json_typeof({x} #> {p}) = 'number' THEN CAST({x} #>> {p} AS DOUBLE PRECISION) END",
    "boolean": "CASE WHEN json_typeof({x} #> {p}) = 'boolean' THEN CAST({x} #>> {p} AS BOOLEAN) END",
    "length": "CASE WHEN json_typeof({x} #> {p}) = 'array' THEN json_array_length({x} #> {p}) END",
    "any": "CASE WHEN json_typeof({x} #> {p}) <> 'null' THEN 1 END",
}
# PostgreSQL refuses to look into JSON with a null character or half a character anywhere in it.
_HALVES = (
    r"\\u0000|\\u[dD][89aAbB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89aAbB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


class _Kept(GenericFunction):
    """`(extra, path as SQLite writes it, path as PostgreSQL writes it)` as a value of one kind."""

    kind = ""
    inherit_cache = True


class kept_text(_Kept):
    """A text."""

    kind, type, inherit_cache = "text", Text(), True


class kept_number(_Kept):
    """A number."""

    kind, type, inherit_cache = "number", Double(), True


class kept_boolean(_Kept):
    """True or false."""

    kind, type, inherit_cache = "boolean", Boolean(), True


class kept_length(_Kept):
    """How many items a list has."""

    kind, type, inherit_cache = "length", Integer(), True


class kept_any(_Kept):
    """1 where there is a value."""

    kind, type, inherit_cache = "any", Integer(), True


_KINDS = {each.kind: each for each in (kept_text, kept_number, kept_boolean, kept_length, kept_any)}


@compiles(_Kept, "sqlite")
def _sqlite(element: _Kept, compiler: Any, **kw: Any) -> str:
    extra, path, _ = element.clauses
    return (
        f"({_SQLITE[element.kind].format(x=compiler.process(extra, **kw), p=compiler.process(path, **kw))})"
    )


@compiles(_Kept, "postgresql")
def _postgresql(element: _Kept, compiler: Any, **kw: Any) -> str:
    extra, _, path = element.clauses
    column = compiler.process(extra, **kw)
    value = _POSTGRESQL[element.kind].format(x=column, p=f"CAST({compiler.process(path, **kw)} AS TEXT[])")
    return f"(CASE WHEN CAST({column} AS TEXT) !~ '{_HALVES}' THEN {value} END)"


def kept_column(path: Sequence[str], kind: str, extras: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The value at `path` in the first of the extras that has one of this kind.

    Args:
        kind: text, number, boolean, `length` (of a list), or `any`: 1 where there is a value.
    """
    *_, last = path
    if kind == "number" and last == "length":
        return func.coalesce(
            *(_one(extra, path[:-1], "length") for extra in extras),
            *(_one(extra, path, kind) for extra in extras),
        )
    found = [_one(extra, path, kind) for extra in extras]
    return found[0] if len(found) == 1 else func.coalesce(*found, type_=found[0].type)


def _one(extra: ColumnElement[Any], path: Sequence[str], kind: str) -> ColumnElement[Any]:
    sqlite = "$" + "".join(f'."{name}"' for name in path)
    postgresql = "{" + ",".join(f'"{name}"' for name in path) + "}"
    return _KINDS[kind](extra, literal(sqlite), literal(postgresql))
