"""Whether a question can be asked of an index, and as what: plain line breaks, a chat in its template's words. Knows no torch."""

from typing import Any

from app.errors import UserError
from app.models.chat_template import TemplateFiles
from app.models.chats import placed_turns
from app.tracing.catalog import Askable
from app.tracing.questions import Question, check_text
from app.words.roles import ASSISTANT

ROOM_TO_COMPLETE = 1  # tokens that must be left after a prompt that the model completes


def checked(question: Question, askable: Askable) -> Question:
    """The question as it is asked: plain line breaks, names filled in, nothing said twice.

    Raises:
        UserError: a text cannot be asked, or with its prompt does not fit the model's context.
    """
    question = _as_text(question, askable)
    prompt = check_text(question.prompt, "prompt", "prompt")
    asked = question.model_copy(update={"prompt": prompt, "model": askable.model, "index": askable.index})
    before = askable.start + _tokens(askable, prompt, "prompt")
    if question.completion is None:
        _needs_no_completion(question)
        _fits(askable, before + ROOM_TO_COMPLETE, "prompt", "The prompt")
        return asked
    return _completed(asked, question.completion, before, askable)


def _as_text(question: Question, askable: Askable) -> Question:
    """A chat as the model reads it: what its template writes up to where the last answer begins, which is the completion."""
    if not question.messages:
        return question
    turns = [(each.role, check_text(each.content, "messages", "turn")) for each in question.messages]
    if question.prompt:
        raise UserError("Messages and a prompt are given.", remedy="Leave out one of them.", field="messages")
    answered = turns[-1][0] == ASSISTANT
    if answered and question.completion is not None:
        raise UserError(
            "The chat ends with an answer, and a completion is given too.",
            remedy="Leave out one of them.",
            field="completion",
        )
    text, places = placed_turns(TemplateFiles.read(askable.model_path), turns, answers=not answered)
    changes: dict[str, Any] = {"messages": None, "prompt": text}
    if answered:
        start, end, _ = places[-1]
        changes |= {"prompt": text[:start], "completion": text[start:end]}
    return question.model_copy(update=changes)


def _completed(question: Question, completion: str, before: int, askable: Askable) -> Question:
    span = question.span
    if span is not None and not 0 <= span[0] < span[1] <= len(completion):
        raise UserError(
            f"The span {span[0]} to {span[1]} is not in the completion's {len(completion)} characters.",
            remedy="Give its start and end as character offsets, start before end.",
            field="span",
        )
    completion = check_text(completion, "completion", "completion")
    if span is not None and not completion[: span[0]].strip() and not completion[span[1] :].strip():
        span = None  # a span of everything is no span
    made = _tokens(askable, completion, "completion", continuing=True)
    tokens = _written(askable, question, completion)
    count = made if tokens is None else len(tokens)
    _fits(askable, before + count, "completion", "The prompt with the completion")
    contrast = question.contrast
    if contrast is not None:
        contrast = check_text(contrast, "contrast", "second completion")
        more = _tokens(askable, contrast, "contrast", continuing=True)
        _fits(askable, before + more, "contrast", "The prompt with the second completion")
        if contrast == completion:
            raise UserError(
                "Both completions are the same.", remedy="Type what the model did not say.", field="contrast"
            )
    return question.model_copy(
        update={"completion": completion, "tokens": tokens, "contrast": contrast, "span": span}
    )


def _needs_no_completion(question: Question) -> None:
    for field in ("span", "contrast", "tokens"):
        if getattr(question, field) is not None:
            raise UserError(
                f"A {field} needs a completion to start from.",
                remedy="Give the completion too.",
                field=field,
            )


def _written(askable: Askable, question: Question, completion: str) -> tuple[int, ...] | None:
    """The question's own tokens, unless the tokenizer makes the same of the completion."""
    if question.tokens is None or question.tokens == askable.ids(completion, continuing=True):
        return None
    spelled = askable.spelled(question.tokens)
    if spelled is not None and spelled != completion:
        raise UserError(
            f"These tokens say “{spelled[:80]}”, not the completion.",
            remedy="Give the tokens of the completion as it follows the prompt, or none.",
            field="tokens",
        )
    return question.tokens


def _tokens(askable: Askable, text: str, field: str, *, continuing: bool = False) -> int:
    ids = askable.ids(text, continuing=continuing)
    if ids == ():
        raise UserError(
            f"The model's tokenizer makes nothing of this {field}.",
            remedy="Use letters or digits that the model knows.",
            field=field,
        )
    return 1 if ids is None else len(ids)


def _fits(askable: Askable, tokens: int, field: str, what: str) -> None:
    if askable.context is not None and tokens > askable.context:
        raise UserError(
            f"{what} takes {tokens:,} tokens; the model “{askable.model}” reads {askable.context:,}.",
            remedy="Shorten it.",
            field=field,
        )
