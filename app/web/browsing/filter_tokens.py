"""The words of a filter expression: its text cut into tokens, and errors that point into it."""

import re
from dataclasses import dataclass
from typing import NoReturn

from app.errors import UserError

_TOKEN = re.compile(
    r"""\s+
    | (?P<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<word>[A-Za-z_0-9][A-Za-z_0-9]*)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign>===|!==|==|!=|<>|<=|>=|&&|\|\||[=<>!(),.\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_SIGNS = {"===": "=", "==": "=", "!==": "!=", "<>": "!=", "&&": "and", "||": "or", "!": "not"}
_WORDS = (
    "and",
    "or",
    "not",
    "in",
    "contains",
    "starts",
    "ends",
    "with",
    "is",
    "known",
    "missing",
    "null",
    "true",
    "false",
)


@dataclass(frozen=True)
class FilterToken:
    """One word, number, text or sign, and its offset in the expression."""

    kind: str  # number, word (a field or a bare word), key (a word of the language or a sign), text, end
    text: str
    at: int


def tokens(source: str) -> list[FilterToken]:
    """The tokens of an expression, the last of kind `end`.

    Raises:
        UserError: a character that begins no token, or a text that is not closed.
    """
    found, at = [], 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            what = "a text that is not closed" if source[at] in "\"'" else f"“{source[at]}”"
            refuse(
                source, at, f"{what} cannot be read", "Put text in double quotes, and numbers without units."
            )
        kind, text = match.lastgroup, match.group()
        if kind == "sign":
            found.append(FilterToken("key", _SIGNS.get(text, text), at))
        elif kind == "word" and text.lower() in _WORDS:
            found.append(FilterToken("key", text.lower(), at))
        elif kind == "text":
            found.append(FilterToken("text", _unquoted(source, text, at), at))
        elif kind is not None:
            found.append(FilterToken(kind, text, at))
        at = match.end()
    return [*found, FilterToken("end", "", len(source))]


def _unquoted(source: str, text: str, at: int) -> str:
    inner = re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1], flags=re.DOTALL)
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in inner):
        refuse(source, at, "this text holds a character no passage can hold", "Leave it out.")
    return inner


def refuse(source: str, at: int, problem: str, remedy: str) -> NoReturn:
    """Raise the `UserError` that points at offset `at` (shown as a column from 1) of the expression."""
    before, after = source[max(0, at - 24) : at], source[at : at + 24]
    place = f" (“{before}⟨here⟩{after}”)" if before or after else ""
    raise UserError(f"The filter stops at column {at + 1}: {problem}{place}.", remedy=remedy, field="where")
