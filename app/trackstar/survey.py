"""One reading of a corpus before it is encoded: how large it is, its hash, its ids, and a random sample."""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.digests import CorpusDigest
from app.errors import UserError

IDS = "passage_ids.jsonl"
SPOOL = "passages.jsonl"
SMALL = 1 << 25
"""Characters of a corpus that is kept in memory, to be read once only."""
Passages = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Survey:
    """One reading of the corpus: size, hash, a uniform sample of texts, and how to read it again."""

    passages: Passages
    count: int
    sha256: str
    sample: list[str]


def survey(passages: Passages, work: Path, size: int, seed: int) -> Survey:
    """Reads the corpus once, writes its ids to `work` and draws `size` texts, each with the same chance.

    A small corpus is held in memory and not read again.

    Raises:
        UserError: the corpus has no passages.
    """
    if iter(passages) is passages:
        passages = _spool(passages, work / SPOOL)
    digest = CorpusDigest()
    chance = random.Random(seed)
    kept: list[tuple[int, str]] = []
    count = characters = 0
    held: list[tuple[str, str]] = []
    with (work / IDS).open("w", encoding="utf-8") as ids:
        for identifier, text in passages:
            digest.add(identifier, text)
            ids.write(json.dumps(identifier) + "\n")
            characters += len(text)
            if characters <= SMALL:
                held.append((identifier, text))
            else:
                held.clear()
            if len(kept) < size:
                kept.append((count, text))
            elif (place := chance.randrange(count + 1)) < size:
                kept[place] = (count, text)
            count += 1
    if not count:
        raise UserError(
            "The corpus has no passages.", field="corpus", remedy="Give a corpus with text in it."
        )
    again = held if characters <= SMALL else passages
    return Survey(again, count, digest.hexdigest(), [text for _, text in sorted(kept)])


@dataclass(frozen=True)
class Spool:
    """Passages kept in a file, for corpora that can be read only once."""

    file: Path

    def __iter__(self) -> Iterator[tuple[str, str]]:
        with self.file.open(encoding="utf-8") as stream:
            for line in stream:
                identifier, text = json.loads(line)
                yield identifier, text


def _spool(passages: Passages, file: Path) -> Spool:
    with file.open("w", encoding="utf-8") as stream:
        for passage in passages:
            stream.write(json.dumps(passage) + "\n")
    return Spool(file)
