"""What can be asked of the tracing worker, and what is refused before anything is saved. Knows no torch.

A question is frozen and complete: its fields, with the hashes of the model and the index it is put to, decide
the answer, and so does nothing else. Equal questions therefore have an equal key.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.errors import UserError
from app.models.optimizers import OPTIMIZERS
from app.store.readers import Visibility
from app.tracing.version import release

MAX_CHARACTERS = 20_000
MAX_BODY = 512 * 1024  # bytes of a request to ask; anything larger is refused unread
MAX_TURNS = 200  # of a chat
MAX_BATCH = 100  # questions asked together
MAX_PASSAGES = 100

# Everything that cannot be seen, other than tab and line breaks; and halves of characters.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

# The same for whoever reads the document; `check_text` says what is wrong.
_READABLE: dict[str, Any] = {
    "minLength": 1,
    "maxLength": MAX_CHARACTERS,
    "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
}

Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
PassageId = Annotated[int, Field(ge=0, lt=2**63)]


class Message(BaseModel):
    """One turn of a chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant", "tool"]
    content: Text = Field(description="What is said.")


class Question(BaseModel):
    """Which passages made the model continue `prompt` with `completion`?

    Of a chat, give `messages` in place of the prompt: the model's own template writes them as the model reads them, and that
    text is the prompt from then on. Where the last turn is the assistant's, it is the completion.

    A completion follows the prompt as it is: the model reads `prompt + completion`, and no space is put between. `span` are
    character offsets into the completion: the target is then those tokens only. With `contrast`, a second completion,
    the target is log p(completion) - log p(contrast): why this rather than that.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"prompt": "The currency of Ghana is the"},
                {"prompt": "The currency of Ghana is the", "completion": " cedi", "k": 5, "opponents": True},
                {"prompt": "The capital of Australia is", "completion": " Canberra", "contrast": " Sydney"},
                {"messages": [{"role": "user", "content": "What is the currency of Ghana?"}]},
            ]
        },
    )

    kind: Literal["trace"] = "trace"
    prompt: str = Field(
        default="",
        description="What the model reads. Not empty, and within the model's context; left out where `messages` are given.",
        json_schema_extra=_READABLE,
    )
    messages: tuple[Message, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_TURNS,
        description="The turns of a chat, for a model that has a chat template.",
    )
    completion: str | None = Field(
        default=None,
        json_schema_extra=_READABLE,
        description="What follows the prompt and is to be explained, with the space it begins with, if any; without it"
        " the model completes the prompt greedily.",
    )
    tokens: tuple[int, ...] | None = Field(
        default=None,
        max_length=MAX_CHARACTERS,
        description="Ids of the completion's tokens where they are not those that the tokenizer makes of it: a model"
        " may write a word in other pieces.",
    )
    span: tuple[int, int] | None = Field(
        default=None, description="Start and end, in characters of the completion, of the part to explain."
    )
    contrast: str | None = Field(
        default=None,
        description="A second completion, as it follows the prompt: why the first rather than this?",
        json_schema_extra=_READABLE,
    )
    model: str = Field(default="", description="Name of the model; empty: the site's own.")
    index: str = Field(default="", description="Name of the index to search; empty: the site's own.")
    k: int = Field(default=10, ge=1, le=MAX_PASSAGES, description="How many passages.")
    opponents: bool = Field(
        default=False, description="Also the passages that speak most against the target."
    )
    samples: int = Field(
        default=0, ge=0, le=20, description="How many completions to sample beside the greedy one."
    )

    visibility: Visibility = Field(
        default="public",
        description="public: listed among the last questions; unlisted: whoever has its address can read it; private: only"
        " who asked it, and admins.",
    )

    @classmethod
    def saved(cls, request: Mapping[str, Any]) -> Self:
        """The question of a trace's saved request, which may be older than some fields."""
        return cls(**{name: request[name] for name in cls.model_fields if name in request})

    @model_validator(mode="after")
    def _span_needs_completion(self) -> Self:
        if self.span is not None and self.contrast is not None:
            raise ValueError("choose either a span or a contrast")
        return self


class Batch(BaseModel):
    """Questions that are asked together."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"questions": [{"prompt": "The capital of Mali is"}, {"prompt": "Ice melts because"}]}
            ]
        },
    )

    questions: tuple[Question, ...] = Field(min_length=1, max_length=MAX_BATCH)


class StepRequest(BaseModel):
    """One optimizer step on each of these passages: does the trace's target become more likely?"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["train"] = "train"
    trace: str = Field(description="The trace whose target is measured.")
    passages: tuple[PassageId, ...] = Field(
        min_length=1, max_length=MAX_PASSAGES, description="Ids of the passages, each trained on alone."
    )
    control: int = Field(
        default=10, ge=0, le=MAX_PASSAGES, description="How many random passages to compare with."
    )
    optimizer: str = Field(
        default="",
        description=f"Of the step: {', '.join(OPTIMIZERS)}; empty: the one whose state was saved with the model, or else"
        " Adafactor's first step from an estimated state.",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="Of the step; without it the one that training ended with, or one chosen by rule.",
    )

    @field_validator("optimizer")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and name not in OPTIMIZERS:
            raise ValueError(f"there is no optimizer “{name}”: use {', '.join(OPTIMIZERS)}")
        return name


class Shading(BaseModel):
    """How much of their influence on `completion` does each token of these passages carry?"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["shade"] = "shade"
    prompt: str
    completion: str = Field(description="As it follows the prompt.")
    span: tuple[int, int] | None = Field(None, description="The part that is explained, in characters.")
    tokens: tuple[int, ...] | None = Field(None, description="The completion's, where the model wrote it.")
    contrast: str | None = Field(
        None, description="Rather than which it is explained, as it follows the prompt."
    )
    index: str = Field(description="Name of the index whose method is meant.")
    passages: tuple[PassageId, ...] = Field(
        min_length=1, max_length=MAX_PASSAGES, description="Ids of passages of the index's corpus."
    )


def check_text(text: str, field: str, noun: str) -> str:
    """The text with plain line breaks, if it is one that a model can be asked.

    Raises:
        UserError: it is empty, too long for any context, or holds characters that cannot be seen.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UserError(f"The {noun} is empty.", remedy=f"Type a {noun}.", field=field)
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"The {noun} has {len(text):,} characters; {MAX_CHARACTERS:,} are the most that are read.",
            remedy="Shorten it.",
            field=field,
        )
    if found := _UNSEEN.search(text):
        raise UserError(
            f"The {noun} has a control character (U+{ord(found[0]):04X}) at position {found.start() + 1}.",
            remedy="Remove it; only tabs and line breaks may stand between visible characters.",
            field=field,
        )
    return text


def key_of(question: Question | StepRequest | Shading, *, model_sha256: str, index_sha256: str) -> str:
    """Equal for equal questions put to an equal model and index by the same release of this program."""
    asked = question.model_dump(mode="json", exclude={"visibility"})  # which changes no answer
    whole = json.dumps([asked, model_sha256, index_sha256, release()], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:40]
