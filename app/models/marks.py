"""Which tokens stand around a passage and before a prompt: a convention between a model and its tokenizer.

A model reads best what it read in training. How that began and ended is known best from the tokenizer's own habit: the
tokens that it puts around a text by itself, or says it should (`add_bos_token`). Where it puts none, none are forced: a
start token that a model never saw first costs it half of its answers.

    tokenizer   what the tokenizer puts there by itself
    both        its start and its end token, where it has them
    start       its start token only
    none        none
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from app.errors import UserError

TOKENIZER, BOTH, START, NONE = "tokenizer", "both", "start", "none"
CONVENTIONS = (TOKENIZER, BOTH, START, NONE)


@dataclass(frozen=True)
class Marks:
    """Ids of the tokens before a text and after a passage."""

    start: tuple[int, ...] = ()
    end: tuple[int, ...] = ()

    @classmethod
    def of(cls, tokenizer: Any, convention: str = TOKENIZER) -> Self:
        """The marks that a convention means for a tokenizer.

        Raises:
            UserError: there is no such convention.
        """
        bos, eos = _ids(tokenizer.bos_token_id), _ids(tokenizer.eos_token_id)
        if convention == TOKENIZER:
            return cls(*_own(tokenizer, bos, eos))
        if convention not in CONVENTIONS:
            raise UserError(
                f"{convention!r} is no way to mark texts.",
                field="marks",
                remedy=f"Use one of {', '.join(CONVENTIONS)}.",
            )
        return cls(bos if convention in (BOTH, START) else (), eos if convention == BOTH else ())

    @classmethod
    def saved(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        return cls(tuple(values["start"]), tuple(values["end"]))

    def as_dict(self) -> dict[str, list[int]]:
        """Plain fields for JSON."""
        return {"start": list(self.start), "end": list(self.end)}


def _ids(token: int | None) -> tuple[int, ...]:
    return () if token is None else (int(token),)


def _own(
    tokenizer: Any, bos: tuple[int, ...], eos: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer puts before and after a text, each token once."""
    text = "a"
    bare = tokenizer(text, add_special_tokens=False)["input_ids"]
    full = tokenizer(text)["input_ids"]
    at = next((n for n in range(len(full)) if full[n : n + len(bare)] == bare), 0)
    start, end = tuple(full[:at]), tuple(full[at + len(bare) :])
    says = getattr(tokenizer, "init_kwargs", {})
    return (
        start or (bos if says.get("add_bos_token") is True else ()),
        end or (eos if says.get("add_eos_token") is True else ()),
    )
