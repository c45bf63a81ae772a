"""Near-duplicates: texts that share most of their word sequences. Pure; near-linear in the number of texts."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from math import ceil
from zlib import crc32

from app.words.names import fold

SHINGLE = 3  # words
ALIKE = 0.8  # share of the shingles of both that both have
SAMPLE = 48  # smallest hashes of a text, the same choice from every text
LEAST = 0.65  # share of the samples that two long texts this alike have in common at the very least
MOST_WORDS = 2_000  # of a text that are looked at
_WORD = re.compile(r"\w+")


def first_near_duplicates(texts: Sequence[str]) -> list[int]:
    """For every text the index of the first text that it all but repeats: its own if there is none before it.

    Of two texts this alike, the rarest few shingles of each have one in common (prefix filtering: Bayardo, Ma, Srikant
    2007), so each is compared only with those that share one of its rarest, however many share its common ones. Of
    long texts only a sample is looked at for that, so a pair of them may be missed, once in millions.
    """
    known = [_shingles(text) for text in texts]
    often = Counter(chain.from_iterable(known))
    firsts: list[int] = []
    by_hash: dict[int, list[int]] = {}
    for at, shingles in enumerate(known):
        sample = sorted(shingles)[:SAMPLE]
        few = len(sample) - ceil((ALIKE if len(sample) == len(shingles) else LEAST) * len(sample)) + 1
        rarest = sorted(sample, key=often.__getitem__)[
            :few
        ]  # of equally rare ones the smallest: the sort is stable
        candidates = sorted({other for each in rarest for other in by_hash.get(each, ())})
        first = next((other for other in candidates if _alike(shingles, known[other])), at)
        firsts.append(first)
        if first == at:
            for each in rarest:
                by_hash.setdefault(each, []).append(at)
    return firsts


def alike(text: str, others: Sequence[str]) -> list[int]:
    """Which of the others all but repeat the text: their places."""
    known = _shingles(text)
    size = range(len(text) // 2, 2 * len(text) + 20)  # a text of another length shares too few word sequences
    return [at for at, other in enumerate(others) if len(other) in size and _alike(known, _shingles(other))]


def _shingles(text: str) -> frozenset[int]:
    words = _WORD.findall(fold(text[: 20 * MOST_WORDS]))[:MOST_WORDS] or [text]
    said = [word.encode("utf-8", "surrogatepass") for word in words]
    runs = zip(*(said[n:] for n in range(SHINGLE)), strict=False) if len(said) >= SHINGLE else [said]
    return frozenset(map(crc32, map(b" ".join, runs)))


def _alike(a: frozenset[int], b: frozenset[int]) -> bool:
    return len(a & b) >= ALIKE * len(a | b)
