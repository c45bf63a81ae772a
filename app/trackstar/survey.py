"""One reading of a corpus before it is encoded: how large it is, its hash, its ids, and a random sample."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
    again."""

    passages: Passages
    count: int
    sha256: str
    sample: list[Lesson]
    forms: dict[str, int]


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
    kept: list[tuple[int, Lesson]] = []
    forms: Counter[str] = Counter()
    count = characters = 0
    held: list[tuple[str, Lesson]] = []
    with (work / IDS).open("w", encoding="utf-8") as ids:
        for identifier, passage in passages:
            digest.add(identifier, *contents(passage))
            ids.write(json.dumps(identifier) + "\n")
            forms[form_of(passage)] += 1
            characters += len(text_of(passage))
            if characters <= SMALL:
                held.append((identifier, passage))
            else:
                held.clear()
            if len(kept) < size:
                kept.append((count, passage))
            elif (place := chance.randrange(count + 1)) < size:
                kept[place] = (count, passage)
            count += 1
    if not count:
        raise UserError(
            "The corpus has no passages.", field="corpus", remedy="Give a corpus with text in it."
        )
    again = held if characters <= SMALL else passages
    sample = [passage for _, passage in sorted(kept, key=lambda each: each[0])]
    return Survey(again, count, digest.hexdigest(), sample, dict(forms))


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
