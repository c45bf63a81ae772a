"""Texts with roles to tokens: the one place that says where the loss of a training example falls.

    prompt, completion   BOS + tokens(prompt) + completion's tokens + EOS; the loss is over the completion and EOS
    chat                 the tokenizer's template, which has marks of its own; the loss is over what it marks with
                         {% generation %}, or else over what the assistant says and the special token that ends its turn
    chosen, rejected     two sequences, each after the prompt; the loss is log p(rejected) - log p(chosen)

What is longer than the context is cut at its end, as passages are.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Protocol

from app.models.chats import RenderedChat, render
from app.models.examples import Located, Place, TrainingExample
from app.words.roles import RoledText, Segment

Placed = tuple[Sequence[int], Sequence[tuple[int, int]]]
"""Token ids, and the characters of each."""


class Tokenizing(Protocol):
    """What a model's tokenizer is asked; `app.models.text.Texts` answers."""

    tokenizer: Any
    context: int
    start: tuple[int, ...]
    end: tuple[int, ...]

    def placed(self, text: str) -> Placed:
        """The tokens of a text."""

    def continued(self, prompt: str, completion: str) -> Placed:
        """The tokens of what follows a text, places counted from where it begins."""


def located_lesson(tokens: Tokenizing, lesson: RoledText) -> Located:
    """A text with roles as what the model reads of it; without targets where nothing is left to learn.

    Raises:
        UserError: the tokenizer cannot tell where its tokens stand, or has no template for a chat, or refuses this one.
    """
    if not lesson.text.strip():
        return Located(TrainingExample((), ()), ())
    read = [(_of_chat if lesson.is_chat else _of_texts)(tokens, lesson, branch) for branch in lesson.branches]
    first = read[0]
    if len(read) == 1:
        return first
    other = read[1]
    cut = first.example.cut or other.example.cut
    if not (first.example.targets and other.example.targets):
        return Located(TrainingExample((), (), cut=cut), ())
    return Located(replace(first.example, cut=cut, against=other.example), first.offsets, other.offsets)


def _of_texts(tokens: Tokenizing, lesson: RoledText, branch: Sequence[Segment]) -> Located:
    """A prompt and what follows it; either may be missing."""
    ids: list[int] = [*tokens.start]
    places: list[Place] = [None] * len(ids)
    targets: list[int] = []
    before = ""
    for segment in branch:
        said = lesson.said(segment)
        new, offsets = tokens.continued(before, said) if before else tokens.placed(said)
        if segment.loss:
            targets += range(len(ids), len(ids) + len(new))
        ids += new
        places += [(segment.start + start, segment.start + end) for start, end in offsets]
        before += said
    if branch[-1].loss:
        targets += range(len(ids), len(ids) + len(tokens.end))
    end = branch[-1].end
    return _cut(tokens, [*ids, *tokens.end], targets, [*places, *[(end, end)] * len(tokens.end)])


def _of_chat(tokens: Tokenizing, lesson: RoledText, branch: Sequence[Segment]) -> Located:
    """Turns in the words of the template."""
    written = render(tokens.tokenizer, [(segment.role, lesson.said(segment)) for segment in branch])
    ids, stands = tokens.placed(written.text)
    special = frozenset(tokens.tokenizer.all_special_ids)
    spans = _learned(written, branch, stands)
    targets = [
        at
        for at, (start, end) in enumerate(stands)
        if any(_is_of(start, end, span, ids[at] in special and not written.marked) for span in spans)
    ]
    return _cut(tokens, ids, targets, [_place(each, written, branch) for each in stands])


def _learned(
    written: RenderedChat, branch: Sequence[Segment], stands: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The stretches of what was written that carry loss; `stands`: where its tokens do."""
    own = [place[:2] for place, segment in zip(written.places, branch, strict=True) if segment.loss]
    if written.marked is None:
        return own
    runs = groupby(zip(written.marked, stands, strict=True), key=lambda each: each[0])
    marked = [[place for _, place in run] for counts, run in runs if counts]
    spans = [(run[0][0], run[-1][1]) for run in marked]
    return [span for span in spans if any(span[0] <= start and end <= span[1] for start, end in own)]


def _is_of(start: int, end: int, span: tuple[int, int], ends: bool) -> bool:
    """Whether a token touches a stretch, or `ends` a turn right behind it."""
    return (start < span[1] and end > span[0]) or (ends and start == span[1])


def _place(stands: tuple[int, int], written: RenderedChat, branch: Sequence[Segment]) -> Place:
    """Where a token of the template's text stands in the lesson's; the end of a turn where its words end."""
    for (start, end, skipped), segment in zip(written.places, branch, strict=True):
        if stands[0] < end and stands[1] > start:
            shift = segment.start + skipped - start
            return max(stands[0], start) + shift, min(stands[1], end) + shift
        if stands[0] == end:
            return segment.end, segment.end
    return None


def _cut(tokens: Tokenizing, ids: Sequence[int], targets: Sequence[int], places: Sequence[Place]) -> Located:
    whole = TrainingExample(tuple(ids), tuple(place for place in targets if place > 0))
    kept = whole.first(tokens.context)
    return Located(replace(kept, cut=len(ids) > tokens.context), tuple(places[: tokens.context]))
