"""What the model said to a prompt, and what is known of it: the head of every page that shows evidence."""

import re
from collections.abc import Sequence

from pydantic import BaseModel

from app.store.work_tables import Trace
from app.tracing.explained import span_of
from app.tracing.trace_results import CompletionToken, TraceResult
from app.web.evidence.searched import included, searched_for
from app.words.answers import SAID, TARGET
from app.words.chat_text import read_on
from app.words.saying import percentage


class AnswerPiece(BaseModel):
    """A token or word of the completion that can be chosen; `start` and `end` are characters of it.

    `probability` (0..1) is the token's, given all before it; None where nobody measured it.
    """

    text: str
    start: int
    end: int
    probability: float | None = None
    chosen: bool = False


class Claim(BaseModel):
    """An answer and what is known of it.

    Args:
        lead, rest: what stands in the completion before and after `said`, the part that is explained.
        explains: `said`, where the model goes on so by itself, else `target`.
        answer: what the model answers where that is not what is explained.
        right: whether the model's answer is; None where nobody judged.
        probability: of `said`, given the prompt, 0..1.
        truth: what is right, where the model says something else; `contrast` is what it was weighed against.
        searched: what the passages were ranked by, where more than one text is in question.
        part: that a part of the passages was looked at only, where it was so in a run.
        included: that one answer begins with the other, so that its probability is part of the other's.
        stated: how many training passages state the fact.
    """

    prompt: str
    lead: str = ""
    said: str
    rest: str = ""
    explains: str
    answer: str | None = None
    right: bool | None = None
    probability: float | None = None
    truth: str | None = None
    truth_probability: float | None = None
    contrast: str | None = None
    contrast_probability: float | None = None
    searched: str = ""
    part: str = ""
    included: str = ""
    stated: int | None = None
    model: str
    parameters: int | None = None
    corpus: str
    passages: int
    pieces: list[AnswerPiece] = []


def in_short(claim: Claim) -> str:
    """`60 % sure, and wrong: it is Accra`; only what is known of what the model said."""
    sure = "" if claim.probability is None else f"{percentage(claim.probability)} sure"
    if claim.answer is not None:
        return f"the model says {claim.answer}"
    if claim.right is None:
        return sure
    told = "right" if claim.right else f"wrong: it is {claim.truth}" if claim.truth else "wrong"
    return f"{sure}, and {told}" if sure else told


def claim_of_trace(trace: Trace, result: TraceResult, parameters: int | None) -> Claim:
    """What was traced: what the model went on with by itself, or what somebody gave."""
    start, end = span_of(trace.request, result)
    text, against = result.completion.text, result.contrast
    said = text[start:end].strip()
    between = result.joined[len(trace.request["prompt"]) : len(result.joined) - len(text)]
    return Claim(
        prompt=trace.request["prompt"],
        lead=between + text[:start],
        said=text[start:end],
        rest=text[end:],
        explains=SAID if result.completion.said else TARGET,
        probability=result.completion.probability,
        contrast=against.text if against else None,
        contrast_probability=against.probability if against else None,
        searched=searched_for(result.method, said, against.text if against else None, None),
        included=included(said, against.text if against else None),
        model=result.provenance.model,
        parameters=parameters,
        corpus=result.provenance.corpus,
        passages=result.provenance.passages,
        pieces=tokens_as_pieces(result.completion.tokens, (start, end)),
    )


def as_sentence(claim: Claim, verdict: str) -> str:
    """What is claimed and what was measured, in words that can stand alone."""
    said = " ".join(read_on(claim.prompt, f"{claim.lead}{claim.said}").split())
    sure = "" if claim.probability is None else f", {percentage(claim.probability)} sure"
    judged = {
        True: "; that is right",
        False: f"; the truth is “{claim.truth}”" if claim.truth else "; wrong",
        None: "",
    }
    who = "says" if claim.explains == SAID or claim.right else "is asked about"
    return f"“{said}”, {who} the model {claim.model}{sure}{judged[claim.right]}. {verdict}"


def tokens_as_pieces(tokens: Sequence[CompletionToken], span: tuple[int, int]) -> list[AnswerPiece]:
    """The completion's tokens; several may share characters."""
    start, end = span
    return [
        AnswerPiece(
            text=token.text,
            start=token.start,
            end=token.end,
            probability=token.probability,
            chosen=token.start < end and token.end > start,
        )
        for token in tokens
    ]


def words_as_pieces(completion: str, span: tuple[int, int]) -> list[AnswerPiece]:
    """The completion's words, where nobody looked at its tokens yet."""
    start, end = span
    return [
        AnswerPiece(text=word[0], start=word.start(), end=word.end(), chosen=word.start() < end)
        for word in re.finditer(r"\s*\S+", completion)
        if word.end() > start
    ]
