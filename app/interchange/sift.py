"""What is taken of a corpus: a part, a sample, each text once, long documents in pieces. Nothing is dropped unsaid."""

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from app.errors import UserError
from app.store.corpora import PassageRecord

Passages = Iterator[PassageRecord]
Record = TypeVar("Record")
Spans = Callable[[str], list[tuple[int, int]]]
"""Where the tokens of a text stand: offsets in characters, ascending."""
DEDUP = ("exact", "near")
HASHES, BANDS = (
    64,
    16,
)  # of MinHash: texts that share 80 % of their shingles meet in a band in 99.9 % of cases
SHINGLE = 5  # words
ALIKE = 0.8  # share of equal hashes from which two texts are near
_PRIME = (1 << 61) - 1


@dataclass
class Sift:
    """How a corpus is thinned and cut, in this order: packed texts taken apart, limit, sample, duplicates, pieces.

    Args:
        split_at: what stands between texts that were packed into one, as `<|endoftext|>`; each becomes a passage.
        limit: the first so many.
        sample: so many drawn at random, each with the same chance, in the order of the file.
        dedup: `exact`: a text as one before it; `near`: one of 80 % the same five-word stretches.
        chunk_tokens: documents are cut into pieces of at most so many tokens.
        left_out: (id, id of the one that it repeats), filled while the passages are read.
    """

    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    dedup: str = ""
    chunk_tokens: int | None = None
    tokenizer: Path | None = None
    left_out: list[tuple[str, str]] = field(default_factory=list)
    split_at: str = ""

    def __call__(self, passages: Iterable[PassageRecord]) -> Passages:
        """The passages that are taken.

        Raises:
            UserError: `dedup` is of no kind, or the tokenizer cannot be read.
        """
        if self.dedup and self.dedup not in DEDUP:
            raise UserError(
                f"{self.dedup!r} is no way to tell duplicates.",
                field="dedup",
                remedy=f"Use {' or '.join(DEDUP)}.",
            )
        part = Part(self.limit, self.sample, self.seed)
        taken = part(split(passages, self.split_at) if self.split_at else passages)
        if self.dedup:
            taken = self._once(taken)
        if self.chunk_tokens:
            taken = cut(taken, self.chunk_tokens, spans_of(self.tokenizer))
        return taken

    def _once(self, passages: Passages) -> Passages:
        like: Callable[[PassageRecord], str | None] = _exact() if self.dedup == "exact" else _near()
        for passage in passages:
            first = like(passage)
            if first is None:
                yield passage
            else:
                self.left_out.append((passage.external_id, first))


@dataclass(frozen=True)
class Part:
    """A part of the records: the first `limit`, and of these `sample` drawn at random, in the order of the file."""

    limit: int | None = None
    sample: int | None = None
    seed: int = 0

    def __call__(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those that are taken."""
        taken = islice(records, self.limit)
        return taken if self.sample is None else iter(draw(taken, self.sample, self.seed))


def draw(records: Iterable[Record], size: int, seed: int) -> list[Record]:
    """`size` records, each with the same chance, in order; all, where there are no more."""
    chance = random.Random(seed)
    kept: list[tuple[int, Record]] = []
    for number, record in enumerate(records):
        if number < size:
            kept.append((number, record))
        elif (place := chance.randrange(number + 1)) < size:
            kept[place] = (number, record)
    return [record for _, record in sorted(kept, key=lambda each: each[0])]


def cut(passages: Iterable[PassageRecord], size: int, spans: Spans) -> Passages:
    """Each document in pieces of at most `size` tokens, with its id and where the piece stands in its text.

    Passages with roles stay whole: a part of a chat is none.
    """
    for passage in passages:
        tokens = spans(passage.text)
        if len(tokens) <= size or not isinstance(passage.lesson, str):
            yield passage
            continue
        borders = [0, *(tokens[at][0] for at in range(size, len(tokens), size)), len(passage.text)]
        yield from _parts(passage, list(pairwise(borders)))


def split(passages: Iterable[PassageRecord], border: str) -> Passages:
    """Texts that were packed into one, each a passage of its own, as they were learned: none after another's words.

    Args:
        border: what stands between two of them; blank ones are left out.
    """
    for passage in passages:
        starts = [0, *(found.end() for found in re.finditer(re.escape(border), passage.text))]
        if len(starts) == 1 or not isinstance(passage.lesson, str):
            yield passage
            continue
        ends = [*(start - len(border) for start in starts[1:]), len(passage.text)]
        yield from _parts(
            passage, [(a, b) for a, b in zip(starts, ends, strict=True) if passage.text[a:b].strip()]
        )


def _parts(passage: PassageRecord, spans: Sequence[tuple[int, int]]) -> Passages:
    """Parts of a text, each with its id and where it stands in it."""
    for number, (start, end) in enumerate(spans):
        place = {"document": passage.external_id, "start": start, "end": end}
        yield PassageRecord(
            f"{passage.external_id}#{number}", passage.text[start:end], {**passage.meta, **place}
        )


def spans_of(tokenizer: Path | None) -> Spans:
    """How a text is parted: as this `tokenizer.json` does, or at white space where there is none.

    Raises:
        UserError: the tokenizer cannot be read.
    """
    if tokenizer is None:
        return lambda text: [match.span() for match in re.finditer(r"\S+", text)]
    from tokenizers import Tokenizer

    try:
        parts = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises plain `Exception`
        raise UserError(
            f"The tokenizer cannot be read: {error}.",
            file=tokenizer,
            remedy="Name a model, or a tokenizer.json.",
        ) from None
    parts.no_truncation()

    def spans(text: str) -> list[tuple[int, int]]:
        readable = text.encode("utf-8", "replace").decode()  # a lone surrogate is one character either way
        return [(start, end) for start, end in parts.encode(readable, add_special_tokens=False).offsets]

    return spans


def _exact() -> Callable[[PassageRecord], str | None]:
    seen: dict[bytes, str] = {}

    def like(passage: PassageRecord) -> str | None:
        key = hashlib.blake2b(passage.text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        first = seen.setdefault(key, passage.external_id)
        return first if first != passage.external_id else None

    return like


def _near() -> Callable[[PassageRecord], str | None]:
    """MinHash over stretches of words, found again by bands; 64 numbers a passage stay in memory."""
    chance = np.random.default_rng(0)
    factors, shifts = chance.integers(1, 1 << 31, (2, HASHES), dtype=np.uint64)
    bands: dict[tuple[int, bytes], list[tuple[str, np.ndarray]]] = {}

    def like(passage: PassageRecord) -> str | None:
        words = passage.text.lower().split()
        shingles = {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}
        hashes = np.fromiter((_hash(each) for each in shingles), np.uint64, len(shingles))
        own = ((hashes[:, None] * factors + shifts) % np.uint64(_PRIME)).min(axis=0)
        keys = [(number, part.tobytes()) for number, part in enumerate(own.reshape(BANDS, -1))]
        for key in keys:
            for first, other in bands.get(key, ()):
                if (own == other).mean() >= ALIKE:
                    return first
        for key in keys:
            bands.setdefault(key, []).append((passage.external_id, own))
        return None

    return like


def _hash(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big"
    )
