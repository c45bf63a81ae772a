"""What files that come in are called: those the operator offers, and the run that a file becomes."""

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

FORMAT = re.compile(r"(\.(jsonl?|ndjson|csv|tsv|parquet|feather|arrow|txt))?(\.(gz|zst|xz|bz2|zip))?$")


def presets(home: Path) -> list[Path]:
    """The results files the operator put into HOME/presets, by name."""
    directory = home / "presets"
    if not directory.is_dir():
        return []
    return sorted(p for p in directory.iterdir() if p.name.endswith((".jsonl", ".jsonl.gz")) and p.is_file())


def run_name(filename: str) -> str:
    """A run's name made from a file's: `c4_trex-trackstar.jsonl.gz` gives `c4_trex-trackstar`."""
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    name = FORMAT.sub("", name)
    return "".join(c for c in name if c.isprintable() and c not in "<>").strip()[:80] or "uploaded"


def unused(name: str, taken: Callable[[str], bool]) -> str:
    """`name`, or `name-2`, `name-3`, … whichever is not taken."""
    return next(free for n in count(1) if not taken(free := f"{name}-{n}" if n > 1 else name))
