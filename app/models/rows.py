"""Tokens that a model has no row for: a tokenizer that was given more of them than the embedding was.

Some models that work well have such tokens (Gemma 3's for pictures), so that only a text that has one is refused.
"""

from collections.abc import Sequence
from typing import Any

from app.errors import UserError


def within(tokenizer: Any, ids: Sequence[int], rows: int | None) -> Sequence[int]:
    """The ids as they came; `rows`: how many the embedding has, None: not known.

    Raises:
        UserError: one has no row.
    """
    if rows is not None and (highest := max(ids, default=0)) >= rows:
        raise UserError(
            f"The tokenizer's token {tokenizer.convert_ids_to_tokens(highest)!r} has the number {highest:,}, and the"
            f" model's embedding only {rows:,} rows, counted from 0.",
            field="tokenizer",
            remedy="Save the tokenizer that the model was trained with, or give the embedding a row for it and train that.",
        )
    return ids
