"""The filter language of `?where=`: a small safe expression over record fields. No code is evaluated.

    correct and confidence >= 0.5
    task = "fact" and not (bucket in (0, 1) or relation contains "capital")
    answer != target and prompt starts with "The currency"
    best_ais is known and first_correct_rank <= 3

    either   = both ("or" both)*
    both     = negated ("and" negated)*
    negated  = "not" negated | "(" either ")" | test
    test     = field | operand ("=" | "!=" | "<" | "<=" | ">" | ">=") operand
             | field ["not"] "in" "(" value ("," value)* ")"
             | field ["not"] ("contains" | "starts" "with" | "ends" "with") text
             | field "is" ["not"] ("known" | "missing")

Field names are those of `app.store.filters.FIELDS` and the ones the paper's results files use. What its
viewer writes is read too (`filter_viewer`): `ex.` before a field, `&&`, `||`, `!`, `==`, `.includes("…")`,
`proponent_scores[0]`, and `ex["anything"]` for a field that the file had and Startrail does not know. As in JavaScript,
`!field` and `field !== value` keep what lacks the field, `field === false` and `not field` do not.
`render` writes an expression back in its plain spelling, `parse(render(node)) == node`.
"""

import math
from dataclasses import replace
from difflib import get_close_matches
from typing import NoReturn, cast

from app.errors import UserError
from app.store.filters import FIELDS, SPELLINGS, And, Compare, Contains, FilterField, In, Known, Node, Not

from app.store.filters import Kind, Operator, Or, Truth, Value  # isort: skip
from app.web.browsing.filter_tokens import FilterToken, refuse, tokens
from app.web.browsing.filter_viewer import of_viewer

MAX_LENGTH = 2000
MAX_DEPTH = 24
MAX_TESTS = 100
MAX_VALUES = 200

_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CALLS = {"includes": "in", "startsWith": "start", "endsWith": "end"}


def parse(source: str) -> Node | None:
    """The expression as a tree, or None where `source` is blank.

    Raises:
        UserError: it cannot be read; the message points at the column (from 1) and says what would do.
    """
    if len(source) > MAX_LENGTH:
        raise UserError(
            f"The filter is {len(source)} characters long; at most {MAX_LENGTH} are read.",
            remedy="Shorten it, or use several pages.",
            field="where",
        )
    if not source.strip():
        return None
    return _Parser(source).whole()


class _Parser:
    """Recursive descent over the tokens; `depth` and `tests` keep a hostile expression small."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens(source)
        self.next = 0
        self.depth = 0
        self.tests = 0

    def whole(self) -> Node:
        node = self.either()
        if self.now.kind != "end":
            if self.now.text in _OPERATORS:
                self.fail(
                    "a comparison has two sides", "Join two of them: 0.2 < confidence and confidence < 0.8."
                )
            self.fail(f"“{self.now.text}” is one too many", "Join tests with and, or; close what was opened.")
        return node

    @property
    def now(self) -> FilterToken:
        return self.tokens[self.next]

    def fail(self, problem: str, remedy: str, at: int | None = None) -> NoReturn:
        refuse(self.source, self.now.at if at is None else at, problem, remedy)

    def take(self, *keys: str) -> str | None:
        """Step over a word or sign of the language if it comes next."""
        if self.now.kind == "key" and self.now.text in keys:
            self.next += 1
            return self.tokens[self.next - 1].text
        return None

    def need(self, key: str, remedy: str) -> None:
        if not self.take(key):
            self.fail(f"“{key}” is missing", remedy)

    def either(self) -> Node:
        items = [self.both()]
        while self.take("or"):
            items.append(self.both())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def both(self) -> Node:
        items = [self.negated()]
        while self.take("and"):
            items.append(self.negated())
        return items[0] if len(items) == 1 else And(tuple(items))

    def negated(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} levels deep", "Take out some parentheses.")
        viewers = self.source.startswith("!", self.now.at)
        if self.take("not"):
            item = self.negated()
            node: Node = Not(item)
            if viewers and isinstance(item, Truth):
                node = _or_missing(node, item.field)
        elif self.take("("):
            node = self.either()
            self.need(")", "Close the parenthesis.")
        else:
            node = self.test()
        self.depth -= 1
        return node

    def test(self) -> Node:
        self.tests += 1
        if self.tests > MAX_TESTS:
            self.fail(f"more than {MAX_TESTS} tests", "Use “field in (…)” for long lists.")
        start = self.now
        left = self.operand()
        if isinstance(left, FilterField) and (word := self.word_test(left, start)):
            return word
        sign = self.now
        op = self.take(*_OPERATORS)
        if op is None:
            if isinstance(left, FilterField) and left.kind in ("boolean", "any"):
                return Truth(_as(left, "boolean"))
            if isinstance(left, FilterField):
                self.fail(f"“{left}” is not compared with anything", _example(left))
            self.fail("a value alone is no test", "Name a field: confidence >= 0.5.", start.at)
        right_at = self.now
        right = self.operand()
        if not isinstance(left, FilterField):
            if not isinstance(right, FilterField):
                self.fail("neither side is a field", _known_fields(), start.at)
            left, right, op, right_at = right, left, _FLIPPED[op], start
        node = self.compared(left, cast(Operator, op), right, sign, right_at)
        viewers = self.source.startswith("!==", sign.at) and not isinstance(right, FilterField)
        return _or_missing(node, left) if viewers else node

    def compared(
        self, field: FilterField, op: Operator, value: object, sign: FilterToken, at: FilterToken
    ) -> Node:
        kind = value.kind if isinstance(value, FilterField) else _kind(value)
        field, value = _as(field, kind), _as(value, field.kind) if isinstance(value, FilterField) else value
        if kind != field.kind:
            self.fail(f"“{field}” is a {field.kind}, this is a {kind}", _example(field), at.at)
        if field.kind != "number" and op not in ("=", "!="):
            self.fail(f"“{field}” has no order, so “{op}” cannot be used", _example(field), sign.at)
        if isinstance(value, bool):
            return Truth(field) if value == (op == "=") else Not(Truth(field))
        return Compare(field, op, cast(Value | FilterField, value))

    def word_test(self, field: FilterField, start: FilterToken) -> Node | None:
        """The tests spelt with words: in, contains, starts with, is known, and the viewer's method calls."""
        if self.take("."):
            call = self.now
            self.next += 1
            if call.text not in _CALLS:
                self.fail(f"“.{call.text}” is not known", 'Use contains "…" or starts with "…".', call.at)
            self.need("(", f'Write {field}.{call.text}("…").')
            found = self.text_test(field, _CALLS[call.text])
            self.need(")", "Close the parenthesis.")
            return found
        if self.take("is"):
            negative = bool(self.take("not"))
            if not (word := self.take("known", "missing", "null")):
                self.fail("“known” or “missing” should stand here", f"Write {field} is known.")
            return Known(field) if negative != (word == "known") else Not(Known(field))
        negated = bool(self.take("not"))
        node: Node | None = None
        if self.take("in"):
            node = self.in_test(field)
        elif self.take("contains"):
            node = self.text_test(field, "in")
        elif word := self.take("starts", "ends"):
            self.need("with", f'Write {field} {word} with "…".')
            node = self.text_test(field, word.removesuffix("s"))
        elif negated:
            self.fail("“in”, “contains” or “starts with” should stand after “not”", _example(field))
        return Not(node) if negated and node else node

    def in_test(self, field: FilterField) -> Node:
        self.need("(", _example_list(field))
        values: list[Value] = []
        while not values or self.take(","):
            at = self.now.at
            value = self.operand()
            if isinstance(value, FilterField | bool) or field.kind not in ("any", _kind(value)):
                self.fail(f"“{field}” is a {field.kind}, this is not", _example_list(field), at)
            field = _as(field, _kind(value))
            values.append(value)
            if len(values) > MAX_VALUES:
                self.fail(f"more than {MAX_VALUES} values", "Filter by something they share.", at)
        self.need(")", "Close the list of values.")
        return In(field, tuple(values))

    def text_test(self, field: FilterField, place: str) -> Node:
        at, field = self.now, _as(field, "text")
        if field.kind != "text":
            self.fail(f"“{field}” is a {field.kind}, not a text", _example(field))
        value = self.operand()
        if not isinstance(value, str):
            self.fail("a text should stand here", f'Write {field} contains "…".', at.at)
        return Contains(field, value, place == "start", place == "end")

    def operand(self) -> FilterField | Value | bool:
        token = self.now
        if truth := self.take("true", "false"):
            return truth == "true"
        if token.kind == "word":
            return self.field()
        if token.kind == "text":
            self.next += 1
            return token.text
        if token.kind == "number":
            self.next += 1
            value = float(token.text)
            if not math.isfinite(value):
                self.fail("this number is too large", "Use a smaller one.", token.at)
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        if token.text == "null":
            self.fail("nothing is equal to null", "Write “is missing” or “is known”.")
        what = "the filter ends" if token.kind == "end" else f"“{token.text}” stands"
        self.fail(f"{what} where a field should be", _known_fields())

    def field(self) -> FilterField:
        token = self.now
        self.next += 1
        if token.text == "ex" and self.now.text in (".", "["):
            found, self.next = of_viewer(self.source, self.tokens, self.next)
            return found
        field = SPELLINGS.get(token.text) or SPELLINGS.get(token.text.lower())
        if field is None:
            close = get_close_matches(token.text.lower(), SPELLINGS, n=1, cutoff=0.6)
            hint = f"Did you mean {close[0]}? " if close else ""
            self.fail(
                f"“{token.text}” is no field",
                f'{hint}Text stands in quotes: "{token.text}". {_known_fields()} A field that the file had beyond them:'
                f' ex["{token.text}"].',
                token.at,
            )
        return field


def _or_missing(node: Node, field: FilterField) -> Node:
    """The test, or the field is missing: JavaScript's `undefined` is false, and unequal to every value."""
    return Or((node, Not(Known(field))))


def _as(field: FilterField, kind: str) -> FilterField:
    """The field; one that only the file knows is of the kind that it is asked for as."""
    return replace(field, kind=cast(Kind, kind)) if field.kind == "any" and kind != "any" else field


def _kind(value: object) -> str:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _known_fields() -> str:
    return f"Fields: {', '.join(FIELDS)}."


def _example(field: FilterField) -> str:
    test = {"number": f"{field} >= 0.5", "text": f'{field} = "…"', "boolean": f"{field}, or not {field}"}
    return f"Write {test[field.kind]}."


def _example_list(field: FilterField) -> str:
    values = '"…", "…"' if field.kind == "text" else "1, 2"
    return f"Write {field} in ({values})."
