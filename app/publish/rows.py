"""What a copy asks the store for: the prompts of its runs, and the texts of the passages that its pages name."""

from collections.abc import Collection, Iterator

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.publish.listing import PromptRow
from app.store.chunks import chunks
from app.store.tables import Corpus, Output, Passage, Prompt, Result, Run


def prompts_of(session: Session, run: Run) -> list[PromptRow]:
    """The prompts of a run in its order, each with what the run explains."""
    query = (
        select(Prompt.slug, Prompt.task, Prompt.text, Prompt.target, Output.answer)
        .join(Result, Result.prompt_id == Prompt.id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == run.model_id))
        .where(Result.run_id == run.id)
        .order_by(Result.position)
    )
    said = run.explains == "said"
    return [
        PromptRow(run.slug, row.slug, row.task, row.text, ((said and row.answer) or row.target).strip())
        for row in session.execute(query)
    ]


def passages_named(session: Session, ids: Collection[int]) -> Iterator[tuple[int, str, str, str]]:
    """`(id, external id, text, corpus)` of passages, in the order of ids."""
    for piece in chunks(sorted(ids), 500):
        query = select(Passage.id, Passage.external_id, Passage.text, Corpus.name).join(
            Corpus, Corpus.id == Passage.corpus_id
        )
        found = query.where(Passage.id.in_(piece)).order_by(Passage.id)
        yield from ((row[0], row[1], row[2], row[3]) for row in session.execute(found))
