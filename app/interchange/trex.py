"""T-REx as it stands: a corpus of sentences, and facts that name the sentences which state them.

The files are read by `app.interchange.plain`; here a part of them is chosen, so that a small model can be pretrained
on some thousand facts that it has a chance to learn, and on nothing else.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import UserError
from app.interchange.plain import STATED_BY
from app.interchange.records import Progress, Reading, read_records
from app.store.corpora import PassageRecord
from app.store.prompts import PromptRecord


@dataclass(frozen=True)
class Selection:
    """Facts, and the ids of all passages that state one of them."""

    facts: int
    passages: frozenset[str]


def choose_facts(
    queries: Path, *, min_frequency: int = 1, max_facts: int | None = None, progress: Progress | None = None
) -> Selection:
    """Facts that at least `min_frequency` passages state, and of those at most `max_facts`.

    Which, a hash of their id decides: the same in every place, spread over all relations.

    Raises:
        UserError: the file is broken, or no fact is stated that often.
    """
    facts: list[tuple[bytes, list[str]]] = []
    for line in read_records(queries, Reading(texts=False), progress):
        passages = line.texts(STATED_BY)
        if len(passages) >= max(1, min_frequency):
            name = str(line.record.get("fact_id") or line.record.get("id") or line.number)
            facts.append((hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest(), passages))
    if not facts:
        raise UserError(
            f"No fact names {min_frequency} or more passages that state it.",
            file=queries,
            field=STATED_BY,
            remedy="Ask for a lower --min-frequency.",
        )
    chosen = sorted(facts)[:max_facts]
    return Selection(len(chosen), frozenset(each for _, passages in chosen for each in passages))


def only(passages: Iterable[PassageRecord], selection: Selection) -> Iterator[PassageRecord]:
    """The passages of the selection, in order."""
    return (each for each in passages if each.external_id in selection.passages)


@dataclass
class Stated:
    """Lets through the prompts whose passages are all in a corpus, and counts those it holds back."""

    corpus: frozenset[str]
    kept: int = 0
    dropped: int = 0
    first: str = field(default="")

    def filter(self, prompts: Iterable[PromptRecord]) -> Iterator[PromptRecord]:
        """The prompts that can be linked; those that name no passage too."""
        for prompt in prompts:
            if self.corpus.issuperset(prompt.stated_by):
                self.kept += 1
                yield prompt
            else:
                self.dropped += 1
                self.first = self.first or prompt.external_id
