"""How many tokens a model reads at most: one limit, the smaller of the model's and its tokenizer's. Knows no torch."""

from collections.abc import Mapping
from typing import Any

_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
)
_NO_LIMIT = 10**9  # tokenizers that know none say 10³⁰


def longest_input(configuration: Mapping[str, Any], of_tokenizer: float | None) -> int | None:
    """Tokens; None if neither says.

    Args:
        configuration: `config.json`; a model of several parts has its text part's under `text_config`.
        of_tokenizer: its `model_max_length`.
    """
    parts = [configuration, configuration.get("text_config") or {}]
    of_model = next((part[name] for part in parts for name in _NAMES if part.get(name)), None)
    limits = [int(limit) for limit in (of_model, of_tokenizer) if limit and limit < _NO_LIMIT]
    return min(limits) if limits else None
