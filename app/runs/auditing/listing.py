"""What an audit found, with the passages' texts as the corpus has them now; and where audits are kept."""

from dataclasses import dataclass, fields
from pathlib import Path

from app.errors import UserError
from app.evaluation.audited import SUFFIX, CorpusAudit
from app.runs.auditing.audit import lessons_at
from app.settings import Settings
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.tracing.catalog import plain
from app.words.roles import text_of


@dataclass(frozen=True)
class ListedPassage:
    """One passage of one way of looking; `row` is its place in the corpus, from 0."""

    by: str
    rank: int
    score: float
    row: int
    id: str
    text: str


COLUMNS = [each.name for each in fields(ListedPassage)]


def listed(store: Store, found: CorpusAudit) -> list[ListedPassage]:
    """All passages that were kept, way by way, best first."""
    with store.session() as session:
        corpus = get_corpus(session, found.about["corpus"])
        wanted = sorted({row for each in found.rankings for row in each.rows})
        texts = {row: text_of(lesson) for row, lesson in lessons_at(session, corpus, wanted).items()}
    return [
        ListedPassage(each.by, rank, score, row, id_, texts.get(row, ""))
        for each in found.rankings
        for rank, (row, id_, score) in enumerate(zip(each.rows, each.ids, each.scores, strict=True), 1)
    ]


def audit_place(settings: Settings, name: str) -> Path:
    """The file of the audit of this name.

    Raises:
        UserError: the name would lead elsewhere.
    """
    if not plain(name) or name.startswith("."):
        raise UserError(
            f"{name!r} cannot be an audit's name.", field="save", remedy="Give a name without slashes."
        )
    return settings.home / "audits" / f"{name}{SUFFIX}"
