"""Questions about passages that somebody may want to leave out: those a run found, those that state a fact, those of a source."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.store.tables import Corpus, Passage, Prompt, Result, Retrieved, Run, Statement
from app.words.passages import PROPONENT

LONGEST_VALUE = 200  # characters of what is the name of a source


def found_first(session: Session, run: Run, prompts: Collection[int], first: int) -> list[int]:
    """Ids of the passages that a run has first for these prompts, by rank, each once."""
    rows = session.execute(
        select(Retrieved.passage_id, Retrieved.rank)
        .join(Result, Result.id == Retrieved.result_id)
        .where(
            Result.run_id == run.id,
            Result.prompt_id.in_(prompts),
            Retrieved.side == PROPONENT,
            Retrieved.rank <= first,
        )
        .order_by(Retrieved.rank, Result.position)
    )
    return list(dict.fromkeys(id_ for id_, _ in rows))


def scores_of(
    session: Session, run: Run, prompts: Collection[int], passages: Sequence[int]
) -> dict[int, tuple[float, int]]:
    """By prompt, the sum of the scores that a run has of these passages, and of how many of them it has one."""
    rows = session.execute(
        select(Result.prompt_id, func.sum(Retrieved.score), func.count(Retrieved.score))
        .join(Retrieved, Retrieved.result_id == Result.id)
        .where(Result.run_id == run.id, Result.prompt_id.in_(prompts), Retrieved.passage_id.in_(passages))
        .group_by(Result.prompt_id)
    )
    return {prompt: (float(total or 0.0), known) for prompt, total, known in rows}


def prompts_named(session: Session, names: Collection[str], prompt_set: int | None) -> dict[str, Prompt]:
    """By external id, the prompts that are called so, or named so in addresses; of one set, or of the first that has them."""
    called = or_(Prompt.external_id.in_(names), Prompt.slug.in_(names))
    query = select(Prompt).where(called).order_by(Prompt.id.desc())
    if prompt_set is not None:
        query = query.where(Prompt.prompt_set_id == prompt_set)
    found = {prompt.external_id: prompt for prompt in session.scalars(query)}
    order = {name: at for at, name in enumerate(names)}
    return dict(sorted(found.items(), key=lambda each: order.get(each[0], order.get(each[1].slug, 0))))


def passages_called(session: Session, corpus: Corpus, names: Collection[str]) -> dict[str, int]:
    """By external id, the passages of a corpus that are called so."""
    query = select(Passage.external_id, Passage.id).where(
        Passage.corpus_id == corpus.id, Passage.external_id.in_(names)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def stating(session: Session, prompt: str, limit: int) -> list[int]:
    """Ids of the passages that state the fact of the prompts of this external id."""
    query = (
        select(Statement.passage_id)
        .join(Prompt, Prompt.id == Statement.prompt_id)
        .where(Prompt.external_id == prompt)
        .order_by(Statement.passage_id)
        .distinct()
        .limit(limit)
    )
    return list(session.scalars(query))


def count_stating(session: Session, prompts: Collection[str]) -> dict[str, int]:
    """By external id of a prompt, how many passages state its fact; without those that none states."""
    query = (
        select(Prompt.external_id, func.count(Statement.passage_id.distinct()))
        .join(Statement, Statement.prompt_id == Prompt.id)
        .where(Prompt.external_id.in_(prompts))
        .group_by(Prompt.external_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def sources_of(passage: Passage) -> list[str]:
    """The fields of a passage that may say where it comes from: those with a short text."""
    return [
        name
        for name, value in passage.meta.items()
        if isinstance(value, str) and 0 < len(value) <= LONGEST_VALUE
    ]


def of_source(session: Session, passage: Passage, field: str, limit: int) -> list[int]:
    """Ids of the passages of its corpus whose field has the same value, itself among them."""
    value = passage.meta.get(field)
    query = (
        select(Passage.id)
        .where(Passage.corpus_id == passage.corpus_id, Passage.meta[field].as_string() == value)
        .order_by(Passage.id)
        .limit(limit)
    )
    return list(session.scalars(query)) if isinstance(value, str) else []


def passages_by_id(session: Session, ids: Collection[int]) -> dict[int, Passage]:
    """The passages of these ids that the reader may see."""
    return (
        {each.id: each for each in session.scalars(select(Passage).where(Passage.id.in_(ids)))} if ids else {}
    )
