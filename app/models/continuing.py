"""A tokenizer as it reads text that goes on from other text: nothing is put before it. Knows no torch.

Tokenizers made in SentencePiece's way put a space before every text by themselves, since a text usually begins with a
word. What follows a prompt is no beginning: `edi` after `The c` must not become ` edi`.
"""

import json
from typing import Any

from tokenizers import Tokenizer


def continuing(tokenizer: Tokenizer) -> Tokenizer:
    """A copy that puts no space before a text, and never cuts or pads one."""
    made = json.loads(tokenizer.to_str())
    for part in ("normalizer", "pre_tokenizer"):
        made[part] = _plain(made[part])
    return whole(Tokenizer.from_str(json.dumps(made)))


def whole(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer, which now never cuts or pads a text, whatever its file says."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _plain(part: dict[str, Any] | None) -> dict[str, Any] | None:
    """A normalizer or pre-tokenizer without what it puts before a text or takes from its beginning."""
    if part is None:
        return None
    kind = part["type"]
    if kind == "Sequence":
        name = "normalizers" if "normalizers" in part else "pretokenizers"
        return part | {name: [plain for each in part[name] if (plain := _plain(each)) is not None]}
    if kind == "Prepend":
        return None
    changes: dict[str, dict[str, Any]] = {
        "Metaspace": {"prepend_scheme": "never"},
        "ByteLevel": {"add_prefix_space": False},
        "Strip": {"strip_left": False},
    }
    return part | changes.get(kind, {})
