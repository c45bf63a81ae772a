"""The middle of a build: a corpus's passages to shards of rows, those that are not there yet."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch

from app.errors import UserError
from app.models.hands import Hands
from app.models.load import LoadedModel
from app.models.text import Texts
from app.trackstar.encode import EncodedPassages, PassageRows, counted, finished
from app.trackstar.fit import known_gradients
from app.trackstar.manifest import Shard
from app.trackstar.parts import Parts
from app.trackstar.shards import WrittenShard, shard_name, whole_shard, write_shard
from app.trackstar.survey import Survey
from app.words.roles import Lesson


class Counter:
    """Adds up what is done and tells the caller."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self.progress, self.done, self.total = progress, 0, total

    def add(self, count: int) -> None:
        """So much more is done."""
        self.done += count
        if self.progress:
            self.progress(self.done, self.total)


def encode_shards(
    hands: Hands[LoadedModel],
    work: PassageRows,
    texts: Texts,
    corpus: Survey,
    directory: Path,
    shard_rows: int,
    scale: float,
    counter: Counter,
    after: Sequence[Shard] = (),
) -> list[WrittenShard]:
    """All shards of a corpus, in order; each is written, with its checksum, by this process.

    Args:
        hands: who encodes. Nothing is asked of them that a stopped build left, or that fitting R made already.
        scale: float16's.
        after: shards that stand before these.

    Raises:
        UserError: the corpus is another than was surveyed.
    """
    shards: dict[int, WrittenShard] = {}
    row = sum(shard.rows for shard in after)
    asked: deque[tuple[int, int]] = deque()
    known = _Known(work, texts, corpus, directory)

    def write(number: int, start: int, made: EncodedPassages) -> None:
        zero = int((~made.rows.any(axis=1)).sum())
        counts = {"empty": made.empty, "cut": made.cut, "degenerate": zero - made.empty}
        shards[number] = write_shard(directory, number, row + start, made.rows, scale, counts)

    def missing() -> Iterator[Sequence[Lesson]]:
        for number, (start, passages) in enumerate(_cut(corpus, shard_rows), len(after)):
            if written := whole_shard(directory / shard_name(number)):
                shards[number] = written
            elif made := known.rows(start, passages):
                write(number, start, made)
            else:
                asked.append((number, start))
                yield passages
                continue
            counter.add(len(passages))

    for made in hands.each(work, missing(), counter.add):
        write(*asked.popleft(), made)
    return [shards[number] for number in sorted(shards)]


def _cut(corpus: Survey, shard_rows: int) -> Iterator[tuple[int, list[Lesson]]]:
    reading = iter(corpus.passages)
    for start in range(0, corpus.count, shard_rows):
        passages = [passage for _, passage in islice(reading, shard_rows)]
        if len(passages) != min(shard_rows, corpus.count - start):
            raise UserError("The corpus changed while it was read.", field="corpus", remedy="Start again.")
        yield start, passages


class _Known:
    """Encodings of a corpus that is no larger than the sample: fitting R made all projected gradients already."""

    def __init__(self, work: PassageRows, texts: Texts, corpus: Survey, directory: Path) -> None:
        self._work, self._texts, self._parts = work, texts, Parts(directory)
        self._sample = texts.passages(corpus.sample) if len(corpus.sample) == corpus.count else []

    def rows(self, start: int, passages: Sequence[Lesson]) -> EncodedPassages | None:
        """Of the passages from `start` on; None where nothing was kept of them."""
        kept = known_gradients(
            self._parts, self._sample, self._work.batch_tokens, start, start + len(passages)
        )
        if kept is None:
            return None
        rows = finished(torch.from_numpy(kept), self._work.method, self._work.whitening)
        return counted(rows, self._texts.passages(passages))
