"""Questions about what stands behind a name: the runs of a model or corpus, and passages of it to look at."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.store.chunks import chunks
from app.store.memory import remembered
from app.store.models import NO_MODEL
from app.store.runs import WITH_NAMES
from app.store.tables import Corpus, Model, Passage, Prompt, PromptSet, Run


def list_models(session: Session) -> list[Model]:
    """All models by name; not what stands for one where none was asked."""
    return list(session.scalars(select(Model).where(Model.name != NO_MODEL).order_by(Model.name)))


def runs_of(session: Session, row: Model | Corpus, limit: int) -> list[Run]:
    """The runs of a model or over a corpus, the latest first, at most `limit`."""
    column = Run.model_id if isinstance(row, Model) else Run.corpus_id
    query = select(Run).where(column == row.id).order_by(Run.id.desc()).limit(limit)
    return list(session.scalars(query.options(*WITH_NAMES)))


def run_count(session: Session, row: Model | Corpus) -> int:
    """How many runs there are of a model or over a corpus."""
    column = Run.model_id if isinstance(row, Model) else Run.corpus_id
    return session.scalar(select(func.count()).select_from(Run).where(column == row.id)) or 0


def prompt_sets_of(session: Session, corpus: Corpus) -> list[tuple[PromptSet, int]]:
    """The prompt sets whose facts the corpus states, each with how many prompts it has: such a set takes in no more, so that
    these are counted once, and again when one was taken down, of which its runs tell; without runs each time."""
    sets = session.scalars(
        select(PromptSet).where(PromptSet.corpus_id == corpus.id).order_by(PromptSet.name)
    ).all()
    over = select(Run).where(Run.prompt_set_id.in_([each.id for each in sets])).order_by(Run.id)
    runs = session.scalars(over.options(*WITH_NAMES)).all()

    def counted(of: PromptSet) -> int:
        own = select(func.count()).select_from(Prompt).where(Prompt.prompt_set_id == of.id)
        told = [run for run in runs if run.prompt_set_id == of.id]
        count = partial(session.scalar, own)
        return (remembered(session, f"prompts of {of.id}", told, count) if told else count()) or 0

    return [(each, counted(each)) for each in sets]


def sample_passages(session: Session, corpus: Corpus, count: int) -> list[Passage]:
    """Passages spread evenly over the corpus, the same each time: as few rows are read as are shown."""
    size = corpus.passage_count
    places = {size * each // count for each in range(count)} if size else set()
    query = (
        select(Passage)
        .where(Passage.corpus_id == corpus.id, Passage.position.in_(places))
        .order_by(Passage.position)
    )
    return list(session.scalars(query))


def passages_at(session: Session, corpus: Corpus, rows: Sequence[int]) -> dict[int, Passage]:
    """The passages in these rows of a corpus, by row; rows that it has not are left out."""
    found: dict[int, Passage] = {}
    for some in chunks(rows, 500):
        query = select(Passage).where(Passage.corpus_id == corpus.id, Passage.position.in_(some))
        found |= {passage.position: passage for passage in session.scalars(query)}
    return found
