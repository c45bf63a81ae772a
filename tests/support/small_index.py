"""An index small enough to build in every test."""

from pathlib import Path
from typing import Any

from app.trackstar.config import EncodingConfig
from tests.support import tiny

PASSAGES = [(f"p{at}", text) for at, text in enumerate(tiny.MANY)] + [
    ("blank", " "),
    ("long", " ".join(tiny.TEXTS)),
]
SMALL: dict[str, Any] = {"method": EncodingConfig(projection_dim=3), "shard_rows": 16, "batch_tokens": 256}


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}
