"""Fields as the viewer of the paper writes them: `ex.relation`, `ex['8b_confidence']`, `ex.proponent_scores[0]`.

A name that no column has is a field that the file had, and is looked for in what was kept of it. Of the lists of
passages only what a column sums up can be asked; anything else is refused with what to write instead.
"""

from collections.abc import Sequence

from app.store.filters import FIELDS, SPELLINGS, FilterField, kept_field
from app.web.browsing.filter_tokens import FilterToken, refuse

CALLS = ("includes", "startsWith", "endsWith")
_FIRST = {"proponent_scores": FIELDS["top_score"]}
_INSTEAD = {
    "proponents": "Search the passages' texts with the search field (q=…).",
    "opponents": "Search the passages' texts with the search field (q=…).",
    "proponent_scores": "Write proponent_scores[0], or top_score.",
    "proponent_correct": "Write first_correct_rank = 1, or first_correct_rank is known.",
    "proponent_ais_scores": "Write best_ais > 0.5.",
}


def of_viewer(source: str, tokens: Sequence[FilterToken], at: int) -> tuple[FilterField, int]:
    """The field that begins after `ex` at token `at`, and the token behind it.

    Raises:
        UserError: a list of passages is asked for what no column sums up.
    """
    start, path = tokens[at], list[str]()
    while name := _step(tokens, at):
        if tokens[at].text == "." and name in CALLS and tokens[at + 2].text == "(":
            break
        path.append(name)
        at += 2 if tokens[at].text == "." else 3
    if not path:
        refuse(
            source,
            start.at,
            "a field's name should stand after “ex”",
            'Write ex.relation, or ex["relation"].',
        )
    if path[0] in _INSTEAD or path[0].startswith(("proponent_", "opponent_")):
        return _of_list(source, start, path), at
    known = SPELLINGS.get(path[0]) or SPELLINGS.get(path[0].lower())
    if known and len(path) == 1:
        return known, at
    if any(set(name) & set('"\\') for name in path):
        refuse(source, start.at, "a field's name holds a quote or a backslash", "Rename it in the file.")
    return kept_field(tuple(path)), at


def _step(tokens: Sequence[FilterToken], at: int) -> str:
    """The name in `.name`, `["name"]` or `[0]`; empty if none comes."""
    if tokens[at].text == "." and tokens[at].kind == "key":
        following = tokens[at + 1]
        return following.text if following.text.replace("_", "a").isalnum() else ""
    if tokens[at].text == "[" and tokens[at].kind == "key" and tokens[at + 2].text == "]":
        return tokens[at + 1].text
    return ""


def _of_list(source: str, start: FilterToken, path: list[str]) -> FilterField:
    name, *rest = path
    if rest == ["0"] and name in _FIRST:
        return _FIRST[name]
    remedy = _INSTEAD.get(
        name, "Of the lists of passages, ask for top_score, first_correct_rank or best_ais."
    )
    refuse(source, start.at, f"the list “{name}” cannot be asked for that", remedy)
