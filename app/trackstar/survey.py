"""One reading of a corpus before it is encoded: how large it is, its hash, its ids, and a random sample."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from app.digests import CorpusDigest
from app.errors import UserError
from app.words.roles import Lesson, contents, form_of, lesson, text_of

IDS = "passage_ids.jsonl"
SPOOL = "passages.jsonl"
SMALL = 1 << 25
"""Characters of a corpus that is kept in memory, to be read once only."""
Passages = Iterable[tuple[str, Lesson]]


@dataclass(frozen=True)
class Survey:
    """One reading of the corpus: size, hash, a uniform sample of passages, how many are of which form, and how to read it
    again.

    Of a corpus that grew, all but the hash is of the passages that came; `before` is a sample of those that stood there.
    """

    passages: Passages
    count: int
    sha256: str
    sample: list[Lesson]
    forms: dict[str, int]
    before: list[Lesson] = field(default_factory=list)


@dataclass(frozen=True)
class Begun:
    """The passages that a corpus begins with, if it is the one that an index was built of, grown."""

    passages: int = 0
    sha256: str = ""


def survey(passages: Passages, work: Path, size: int, seed: int, standing: Begun = Begun()) -> Survey:
    """Reads the corpus once, writes its ids to `work` and draws `size` texts, each with the same chance.

    A small corpus is held in memory and not read again.

    Raises:
        UserError: the corpus has no passages, or does not begin with those that are to stand there, or with no others.
    """
    if iter(passages) is passages:
        passages = _spool(passages, work / SPOOL)
    digest = CorpusDigest()
    before, drawn = _Drawn(size, seed), _Drawn(size, seed)
    forms: Counter[str] = Counter()
    characters = 0
    held: list[tuple[str, Lesson]] = []
    with (work / IDS).open("w", encoding="utf-8") as ids:
        reading = _written(passages, digest, ids)
        for _, passage in islice(reading, standing.passages):
            before.add(passage)
        _check(standing, before.count, digest)
        for identifier, passage in reading:
            forms[form_of(passage)] += 1
            characters += len(text_of(passage))
            if characters <= SMALL:
                held.append((identifier, passage))
            else:
                held.clear()
            drawn.add(passage)
    if not drawn.count:
        raise _nothing_in(standing)
    again = held if characters <= SMALL else Later(passages, standing.passages)
    return Survey(again, drawn.count, digest.hexdigest(), drawn.texts, dict(forms), before.texts)


def _written(passages: Passages, digest: CorpusDigest, ids: TextIO) -> Iterator[tuple[str, Lesson]]:
    for identifier, passage in passages:
        digest.add(identifier, *contents(passage))
        ids.write(json.dumps(identifier) + "\n")
        yield identifier, passage


def _check(standing: Begun, count: int, digest: CorpusDigest) -> None:
    if standing.passages and (count, digest.hexdigest()) != (standing.passages, standing.sha256):
        raise UserError(
            f"The corpus does not begin with the {standing.passages:,} passages of the index.",
            field="corpus",
            remedy="Give the corpus that grew from the index's (`startrail corpus add … --after`), or build a new index.",
        )


def _nothing_in(standing: Begun) -> UserError:
    if standing.passages:
        return UserError(
            "The corpus has no passages that are not in the index.", field="corpus", remedy="Add some first."
        )
    return UserError("The corpus has no passages.", field="corpus", remedy="Give a corpus with text in it.")


class _Drawn:
    """Some of the texts of a stream, each with the same chance, in their order."""

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._chance = size, random.Random(seed)
        self._kept: list[tuple[int, Lesson]] = []
        self.count = 0

    def add(self, passage: Lesson) -> None:
        """The next text of the stream."""
        if len(self._kept) < self._size:
            self._kept.append((self.count, passage))
        elif (place := self._chance.randrange(self.count + 1)) < self._size:
            self._kept[place] = (self.count, passage)
        self.count += 1

    @property
    def texts(self) -> list[Lesson]:
        """Those that were drawn."""
        return [passage for _, passage in sorted(self._kept, key=lambda each: each[0])]


@dataclass(frozen=True)
class Later:
    """The passages of a corpus without its first."""

    passages: Passages
    first: int

    def __iter__(self) -> Iterator[tuple[str, Lesson]]:
        return islice(iter(self.passages), self.first, None)


@dataclass(frozen=True)
class Spool:
    """Passages kept in a file, for corpora that can be read only once."""

    file: Path

    def __iter__(self) -> Iterator[tuple[str, Lesson]]:
        with self.file.open(encoding="utf-8") as stream:
            for line in stream:
                identifier, text, roles = json.loads(line)
                yield identifier, lesson(text, roles)


def _spool(passages: Passages, file: Path) -> Spool:
    with file.open("w", encoding="utf-8") as stream:
        for identifier, passage in passages:
            roles = None if isinstance(passage, str) else passage.as_list()
            stream.write(json.dumps([identifier, text_of(passage), roles]) + "\n")
    return Spool(file)
