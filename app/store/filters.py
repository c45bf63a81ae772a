"""Filters over results as SQL: the tree of a filter expression, its fields, and how each becomes a column.

Knows nothing of how a filter is spelt (that is `app.web.browsing.filters`). Every value travels as a bound
parameter, so no text a reader typed is ever SQL.

**What is not known is neither true nor false.** A comparison with a missing value selects nothing, and
neither does its negation (SQL's and Kleene's three-valued logic): `correct` and `not correct` are the prompts
judged right and those judged wrong, without the ones nobody judged. `field is known` is always true or false.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    Integer,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from app.errors import UserError
from app.store.extra_columns import kept_column
from app.store.tables import Output, Prompt, PromptSet, Result, Statement
from app.words.tasks import LISTED

Kind = Literal["text", "number", "boolean", "any"]
Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Value = str | float | int


@dataclass(frozen=True)
class FilterField:
    """One name a filter may use: which row it is read from, and the words for it."""

    name: str
    kind: Kind
    row: Literal["prompt", "output", "result", "kept"]
    label: str
    help: str
    others: tuple[str, ...] = ()  # the names the paper's results files use
    path: tuple[
        str, ...
    ] = ()  # of a field that the file had and no column has: where it stands in its record

    def __str__(self) -> str:
        """Its name, as an expression spells it."""
        return self.name


FIELDS: dict[str, FilterField] = {
    field.name: field
    for field in (
        FilterField("task", "text", "prompt", "task", LISTED),
        FilterField("relation", "text", "prompt", "relation", "what the fact says of its subject"),
        FilterField("prompt", "text", "prompt", "prompt", "the prompt's text", ("inputs_plaintext",)),
        FilterField("target", "text", "prompt", "target", "the completion that was traced", ("targets_plaintext",)),
        FilterField("ground_truth", "text", "prompt", "ground truth", "the true answer, where the target differs",
              ("groundtruth",)),
        FilterField("subject", "text", "prompt", "subject", "whom or what the fact is about"),
        FilterField("example_id", "text", "prompt", "example id", "the prompt's id in its file", ("trex_id",)),
        FilterField("label", "number", "prompt", "right choice", "number of the right one of its choices, from 0"),
        FilterField("fact_id", "text", "prompt", "fact id", "the id of its fact"),
        FilterField("frequency", "number", "prompt", "corpus frequency", "passages that state the fact",
              ("c4_frequency", "fact_frequency")),
        FilterField("bucket", "number", "prompt", "frequency bucket", "as the file has it; else by powers of two",
              ("c4_frequency_bucket", "frequency_bucket")),
        FilterField("stated", "boolean", "prompt", "stated in the corpus", "a passage is known to state the fact",
              ("has_trex_sentence",)),
        FilterField("answer", "text", "output", "model answer", "what the model answers, greedily"),
        FilterField("correct", "boolean", "output", "answered right", "the model's answer is right",
              ("is_correct", "is_8b_correct")),
        FilterField("confidence", "number", "output", "confidence", "share of samples that agree, 0 to 1",
              ("8b_confidence", "model_confidence")),
        FilterField("probability", "number", "output", "probability", "of the target, 0 to 1"),
        FilterField("top_score", "number", "result", "top score", "score of the first proponent"),
        FilterField("first_correct_rank", "number", "result", "first correct rank",
              "rank of the first proponent that states the fact", ("rank",)),
        FilterField("best_ais", "number", "result", "best AIS score", "how strongly a proponent entails the fact",
              ("ais",)),
        FilterField("tail_patch", "number", "result", "tail-patch", "percentage points after one training step"),
    )
}  # fmt: skip


def kept_field(path: tuple[str, ...], kind: Kind = "any") -> FilterField:
    """A field that came with a file and stands in no column; its kind is that of what it is compared with."""
    name = "ex" + "".join(f'["{each}"]' for each in path)
    return FilterField(
        name, kind, "kept", ".".join(path), "a field that the file had beyond those", path=path
    )


SPELLINGS: dict[str, FilterField] = {name: f for f in FIELDS.values() for name in (f.name, *f.others)}


@dataclass(frozen=True)
class Compare:
    """`field op value`; the value may be another field of the same kind. Text knows only `=` and `!=`."""

    field: FilterField
    op: Operator
    value: Value | FilterField


@dataclass(frozen=True)
class In:
    """The field is one of the values."""

    field: FilterField
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Contains:
    """The text contains the words, or begins or ends with them, without regard to the case of A to Z."""

    field: FilterField
    text: str
    start: bool = False
    end: bool = False


@dataclass(frozen=True)
class Truth:
    """A yes-or-no field, taken as it is."""

    field: FilterField


@dataclass(frozen=True)
class Known:
    """The field has a value."""

    field: FilterField


@dataclass(frozen=True)
class Not:
    """What it holds is false (and known)."""

    item: "Node"


@dataclass(frozen=True)
class And:
    """Every one of at least two."""

    items: "tuple[Node, ...]"


@dataclass(frozen=True)
class Or:
    """Any one of at least two."""

    items: "tuple[Node, ...]"


Node = Compare | In | Contains | Truth | Known | Not | And | Or


class Rows(NamedTuple):
    """The mapped classes (or aliases of them) a query reads prompts, outputs and results from; the query
    joins them itself. None where it has no such row: fields of it are then refused."""

    prompt: Any = Prompt
    output: Any = Output
    result: Any = Result


class plain_lower(GenericFunction):
    """Lower-cases A to Z only, on both databases alike: SQLite's `lower` knows no other letters, and
    PostgreSQL's depends on the locale the server was made with."""

    inherit_cache = True


@compiles(plain_lower)
def _lower(element: plain_lower, compiler: Any, **kw: Any) -> str:
    return f"lower({compiler.process(element.clauses, **kw)})"


@compiles(plain_lower, "postgresql")
def _lower_postgresql(element: plain_lower, compiler: Any, **kw: Any) -> str:
    return f'lower(({compiler.process(element.clauses, **kw)}) COLLATE "C")'


def lowered(text: str) -> str:
    """`text` with A to Z lower-cased and every other letter left alone, as `plain_lower` does it."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def fields_of(node: Node) -> set[FilterField]:
    """Every field the expression reads, so that a query can leave out joins it does not need."""
    if isinstance(node, And | Or):
        return set().union(*(fields_of(item) for item in node.items))
    if isinstance(node, Not):
        return fields_of(node.item)
    second = {node.value} if isinstance(node, Compare) and isinstance(node.value, FilterField) else set()
    return {node.field} | second


def condition(node: Node, rows: Rows = Rows()) -> ColumnElement[bool]:
    """The expression as a WHERE condition over `rows`.

    Raises:
        UserError: a field belongs to a row the query does not have.
    """
    match node:
        case And(items):
            return and_(*(condition(item, rows) for item in items))
        case Or(items):
            return or_(*(condition(item, rows) for item in items))
        case Not(item):
            return not_(condition(item, rows))
        case Truth(field):
            return _column(field, rows)
        case Known(field):
            return _column(field, rows).is_not(None)
        case In(field, values):
            return _column(field, rows).in_([_bound(value) for value in values])
        case Contains(field, text, start, end):
            lower = plain_lower(_column(field, rows))
            match_ = lower.startswith if start else lower.endswith if end else lower.contains
            return match_(lowered(text), autoescape=True)
        case Compare(field, op, value):
            column = _column(field, rows)
            other = _column(value, rows) if isinstance(value, FilterField) else _bound(value)
            return column.op(op if op != "!=" else "<>", is_comparison=True)(other)


def _bound(value: Value) -> ColumnElement[Any]:
    """A number as the narrowest type that holds it: PostgreSQL refuses an INTEGER that is too large."""
    if isinstance(value, str):
        return literal(value)
    if value == int(value) and abs(value) < 2**31:
        return literal(int(value), Integer)
    return literal(float(value), Double)


def _column(field: FilterField, rows: Rows) -> ColumnElement[Any]:
    if field.row == "kept":
        extras = [row.extra for row in (rows.result, rows.prompt) if row is not None]
        return kept_column(field.path, field.kind, extras)
    row = getattr(rows, field.row)
    if row is None:
        raise UserError(
            f"“{field.name}” cannot be used here: this page shows no {field.row} of a run.",
            remedy="Choose a run first.",
            field="where",
        )
    if field.name == "stated":
        found = exists(select(literal(1)).where(Statement.prompt_id == row.id).correlate(row))
        # Of a set that belongs to a corpus it is known which passages state what; of a file that is silent, nothing is.
        own = select(PromptSet.corpus_id).where(PromptSet.id == row.prompt_set_id).correlate(row)
        known = case((found, true()), (own.scalar_subquery().is_not(None), false()))
        return func.coalesce(row.stated, known, type_=Boolean)
    return getattr(row, _COLUMNS.get(field.name, field.name))


_COLUMNS = {"prompt": "text", "example_id": "external_id", "bucket": "frequency_bucket"}
