"""Questions about prompt sets, and adding one with the passages that state its facts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.store.chunks import chunks
from app.store.corpora import CHUNK
from app.store.denied import Denylist
from app.store.full_text import NEW_TEXTS
from app.store.naming import suggest, unique_slug
from app.store.tables import Corpus, Passage, Prompt, PromptSet, Statement
from app.words.tasks import FACT


@dataclass(frozen=True)
class PromptRecord:
    """A prompt as it comes in. `stated_by` are external ids of passages of the corpus."""

    external_id: str
    text: str
    target: str
    task: str = FACT
    ground_truth: str | None = None
    aliases: Sequence[str] = ()
    choices: Sequence[str] | None = None
    label: int | None = None
    subject: str | None = None
    relation: str | None = None
    fact_id: str | None = None
    frequency: int | None = None
    frequency_bucket: int | None = None
    stated_by: Sequence[str] = ()
    extra: dict[str, Any] = field(default_factory=dict)


def get_prompt_set(session: Session, name: str) -> PromptSet:
    """The prompt set of this name.

    Raises:
        NotFound: there is none; close names are suggested.
    """
    found = session.scalar(select(PromptSet).where(PromptSet.name == name))
    if found is None:
        names = session.scalars(select(PromptSet.name)).all()
        remedy = suggest(name, names, "startrail prompts list")
        raise NotFound(f"There is no prompt set “{name}”.", remedy=remedy)
    return found


def list_prompt_sets(session: Session) -> list[tuple[PromptSet, int]]:
    """All prompt sets by name, each with its number of prompts."""
    counted = select(Prompt.prompt_set_id, func.count().label("n")).group_by(Prompt.prompt_set_id).subquery()
    query = (
        select(PromptSet, func.coalesce(counted.c.n, 0))
        .outerjoin(counted, counted.c.prompt_set_id == PromptSet.id)
        .order_by(PromptSet.name)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def count_prompts(session: Session, prompt_set: PromptSet) -> tuple[int, int]:
    """How many prompts a set has, and how many links to passages that state their facts."""
    own = Prompt.prompt_set_id == prompt_set.id
    prompts = session.scalar(select(func.count()).select_from(Prompt).where(own)) or 0
    linked = select(func.count()).select_from(Statement).join(Prompt, Prompt.id == Statement.prompt_id)
    return prompts, session.scalar(linked.where(own)) or 0


def list_prompts(session: Session, prompt_set_id: int) -> list[Prompt]:
    """The prompts of a set, in order."""
    query = select(Prompt).where(Prompt.prompt_set_id == prompt_set_id).order_by(Prompt.position)
    return list(session.scalars(query))


def asking(session: Session, text: str, *, limit: int = 100) -> list[Prompt]:
    """The first stored prompts that are this text, of all sets."""
    query = select(Prompt).where(Prompt.text == text).order_by(Prompt.id).limit(limit)
    return list(session.scalars(query))


def add_prompts(
    session: Session,
    name: str,
    records: Iterable[PromptRecord],
    *,
    corpus: Corpus | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PromptSet:
    """Add a prompt set and the links from its prompts to the passages that state their facts.

    `frequency` is the number of linked passages where the record does not say; its bucket is 0 for none, then
    grows with the power of two (1, 2-3, 4-7, …).

    Raises:
        UserError: the name is taken, there is no prompt, or a passage named is not in the corpus.
    """
    if session.scalar(select(PromptSet.id).where(PromptSet.name == name)) is not None:
        raise UserError(
            f"A prompt set “{name}” exists already.", field="name", remedy="Choose another --name."
        )
    prompt_set = PromptSet(name=name, corpus_id=corpus.id if corpus else None)
    session.add(prompt_set)
    session.flush()
    slugs: set[str] = set()
    count = 0
    denied = Denylist(session, "prompt")
    for chunk in chunks(records, CHUNK):
        for record in chunk:
            denied.refuse(record.text, record.external_id)
        rows = [
            _row(record, prompt_set.id, position, unique_slug(record.external_id, slugs))
            for position, record in enumerate(chunk, start=count)
        ]
        ids = session.scalars(insert(Prompt).returning(Prompt.id, sort_by_parameter_order=True), rows).all()
        if corpus is not None:
            _link(session, corpus, dict(zip(ids, chunk, strict=True)))
        count += len(rows)
        if progress:
            progress(count, 0)
    session.info[NEW_TEXTS] = True
    if not count:
        raise UserError("There is no prompt to add.", field="prompt", remedy="Give a file with at least one.")
    return prompt_set


def bucket_of(frequency: int | None) -> int | None:
    """0 for never, 1 for once, 2 for 2-3, 3 for 4-7 and so on; None where the frequency is not known."""
    return None if frequency is None else frequency.bit_length()


def buckets_are_counts(prompt_set: PromptSet) -> bool:
    """Whether the set's frequency buckets are ours (`bucket_of`): those of a results file are drawn elsewhere."""
    return prompt_set.corpus_id is not None


def _row(record: PromptRecord, prompt_set_id: int, position: int, slug: str) -> dict[str, Any]:
    frequency = record.frequency
    if frequency is None and record.stated_by:
        frequency = len(record.stated_by)
    bucket = record.frequency_bucket
    return {
        "prompt_set_id": prompt_set_id,
        "position": position,
        "slug": slug,
        "external_id": record.external_id,
        "task": record.task,
        "text": record.text,
        "target": record.target,
        "ground_truth": record.ground_truth,
        "aliases": list(record.aliases),
        "choices": list(record.choices) if record.choices else None,
        "label": record.label,
        "subject": record.subject,
        "relation": record.relation,
        "fact_id": record.fact_id,
        "frequency": frequency,
        "frequency_bucket": bucket if bucket is not None else bucket_of(frequency),
        "extra": record.extra,
    }


def _link(session: Session, corpus: Corpus, records: dict[int, PromptRecord]) -> None:
    wanted = sorted({external for record in records.values() for external in record.stated_by})
    found: dict[str, int] = {}
    for piece in chunks(wanted, 500):
        query = select(Passage.external_id, Passage.id).where(
            Passage.corpus_id == corpus.id, Passage.external_id.in_(piece)
        )
        found |= dict(session.execute(query).all())
    rows = []
    for prompt_id, record in records.items():
        for external in dict.fromkeys(record.stated_by):
            if external not in found:
                raise UserError(
                    f"Prompt “{record.external_id}” names the passage “{external}”, which is not in the corpus"
                    f" “{corpus.name}”.",
                    field="entailing_passage_ids",
                    remedy="Name the corpus that the prompts were made for with --corpus.",
                )
            rows.append({"prompt_id": prompt_id, "passage_id": found[external]})
    if rows:
        session.execute(insert(Statement), rows)
