"""Filter expressions as people write and say them: the plain spelling, the English sentence, the presets."""

from dataclasses import dataclass

from app.store.filters import And, Compare, Contains, FilterField, In, Known, Node, Not, Or, Truth, Value
from app.words.tasks import TASKS, task_noun


@dataclass(frozen=True)
class FilterPreset:
    """A ready-made filter: its name on the page and its expression."""

    name: str
    where: str


# The paper's viewer has these, with these thresholds.
PRESETS = (
    FilterPreset("Correct", "correct"),
    FilterPreset("Correct and confident", "correct and confidence > 0.5"),
    FilterPreset("Correct, confident and common", "correct and confidence > 0.5 and bucket >= 3"),
    FilterPreset("Common", "bucket >= 3"),
    FilterPreset("Very common", "bucket >= 4"),
    FilterPreset("Most common", "bucket >= 5"),
    FilterPreset("Confident", "confidence > 0.5"),
)


def render(node: Node) -> str:
    """The expression in its plain spelling; `parse` reads it back to an equal tree."""
    match node:
        case And(items):
            return " and ".join(f"({render(i)})" if isinstance(i, And | Or) else render(i) for i in items)
        case Or(items):
            return " or ".join(f"({render(i)})" if isinstance(i, And | Or) else render(i) for i in items)
        case Not(Known(field)):
            return f"{field} is missing"
        case Not(item):
            return f"not ({render(item)})" if isinstance(item, And | Or) else f"not {render(item)}"
        case Truth(field):
            return field.name
        case Known(field):
            return f"{field} is known"
        case In(field, values):
            return f"{field} in ({', '.join(map(_quoted, values))})"
        case Contains(field, text, start, end):
            return f"{field} {'starts with' if start else 'ends with' if end else 'contains'} {_quoted(text)}"
        case Compare(field, op, value):
            return f"{field} {op} {value.name if isinstance(value, FilterField) else _quoted(value)}"


def _quoted(value: Value) -> str:
    if isinstance(value, str):
        return (
            '"'
            + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
            + '"'
        )
    return repr(value)


def in_english(node: Node | None, noun: str = "prompts") -> str:
    """What the filter keeps, for people: “facts the model got right with confidence at least 0.5”."""
    if node is None:
        return noun
    parts = list(node.items) if isinstance(node, And) else [node]
    for part in parts:
        if isinstance(part, Compare) and part.field.name == "task" and part.op == "=" and part.value in TASKS:
            noun = task_noun(str(part.value))
            parts.remove(part)
            break
    # “the model got right” leans on its noun, so it comes before “with …” and “whose …”.
    parts.sort(key=lambda part: 0 if _bare(part) == "correct" else 1)
    return " ".join([noun, _joined([_phrase(part) for part in parts])]).strip()


def _bare(node: Node) -> str:
    inner = node.item if isinstance(node, Not) else node
    return inner.field.name if isinstance(inner, Truth) else ""


def _joined(phrases: list[str], word: str = "and") -> str:
    """“the model got right with a, b and c”: phrases that begin with “with” share it."""
    lead = [p for p in phrases if not p.startswith("with ")]
    tail = [p.removeprefix("with ") for p in phrases if p.startswith("with ")]
    if word == "or":
        return " or ".join(phrases)
    said = " and ".join(lead)
    if tail:
        said = f"{said} with {_listed(tail)}".strip()
    return said


def _listed(items: list[str], word: str = "and") -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


_ORDER = {
    ">=": "at least",
    ">": "above",
    "<=": "at most",
    "<": "below",
    "=": "of exactly",
    "!=": "other than",
}
_OPPOSITE = {
    ">=": "below",
    ">": "at most",
    "<=": "above",
    "<": "at least",
    "=": "other than",
    "!=": "of exactly",
}
_TRUTHS = {
    "correct": ("the model got right", "the model got wrong"),
    "stated": ("with a passage that states them", "with no passage that states them"),
}


def _phrase(node: Node, negated: bool = False) -> str:
    not_ = "not " if negated else ""
    match node:
        case Not(item):
            return _phrase(item, not negated)
        case And(items) | Or(items):
            word = "and" if isinstance(node, And) else "or"
            inner = _joined([_phrase(item) for item in items], word)
            return f"for which it is not so that ({inner})" if negated else f"({inner})"
        case Truth(field):
            return _TRUTHS.get(field.name, (f"with {field.label}", f"without {field.label}"))[negated]
        case Known(field):
            return f"with {'no' if negated else 'a'} known {field.label}"
        case In(field, values):
            return f"whose {field.label} is {not_}one of {_listed([_said(v) for v in values], 'or')}"
        case Contains(field, text, start, end):
            verb, rest = ("begin", " with") if start else ("end", " with") if end else ("contain", "")
            said = f"does not {verb}{rest}" if negated else f"{verb}s{rest}"
            return f"whose {field.label} {said} “{text}”"
        case Compare(field, op, value) if field.kind == "text" or isinstance(value, FilterField):
            other = f"their {value.label}" if isinstance(value, FilterField) else f"“{value}”"
            if field.kind == "text":
                return f"whose {field.label} is {'not ' if negated != (op == '!=') else ''}{other}"
            words = (_OPPOSITE if negated else _ORDER)[op].replace("of exactly", "equal to")
            return f"whose {field.label} is {words} {other}"
        case Compare(field, op, value):
            return f"with {field.label} {(_OPPOSITE if negated else _ORDER)[op]} {_said(value)}"


def _said(value: Value | FilterField) -> str:
    return f"“{value}”" if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else str(value)
