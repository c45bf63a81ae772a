"""Near-duplicates: texts that share most of their word sequences. Pure; near-linear in the number of texts."""

import re
from collections.abc import Sequence
from zlib import crc32

SHINGLE = 3  # words
ALIKE = 0.8  # share of the shingles of both that both have
SKETCH = 12  # smallest hashes kept to find candidates: two texts this alike miss each other once in a billion pairs
MOST_WORDS = 2_000  # of a text that are looked at
_WORD = re.compile(r"\w+")


def leaders(texts: Sequence[str]) -> list[int]:
    """For every text the index of the first text that it all but repeats: its own if there is none before it."""
    found: list[int] = []
    known: list[frozenset[int]] = []
    by_hash: dict[int, list[int]] = {}
    for at, text in enumerate(texts):
        shingles = _shingles(text)
        sketch = sorted(shingles)[:SKETCH]
        candidates = sorted({other for each in sketch for other in by_hash.get(each, ())})
        leader = next((other for other in candidates if _alike(shingles, known[other])), at)
        known.append(shingles)
        found.append(leader)
        if leader == at:
            for each in sketch:
                by_hash.setdefault(each, []).append(at)
    return found


def _shingles(text: str) -> frozenset[int]:
    words = _WORD.findall(text[: 20 * MOST_WORDS].casefold())[:MOST_WORDS] or [text]
    runs = (" ".join(words[n : n + SHINGLE]) for n in range(max(1, len(words) - SHINGLE + 1)))
    return frozenset(crc32(each.encode("utf-8", "surrogatepass")) for each in runs)


def _alike(a: frozenset[int], b: frozenset[int]) -> bool:
    return len(a & b) >= ALIKE * len(a | b)
