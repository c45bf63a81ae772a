"""A few prompts of each kind that is worth a look: those that the front page shows of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.store import browse
from app.store.browse import Filters, ListedResult
from app.store.tables import Run
from app.words.invented import COUNTRY

SIZE = 3  # prompts of a kind


@dataclass(frozen=True)
class ShelfKind:
    """A list of prompts by the name under which its first ones stand on the front page."""

    name: str
    filters: Filters
    sort: str


# Mistakes, facts stated once and still known, and prompts that no fact answers.
KINDS: Sequence[ShelfKind] = (
    ShelfKind("Wrong, and why", Filters(task="fact", right="no"), "frequency"),
    ShelfKind(
        "Stated once, known all the same", Filters(task="fact", right="yes", frequency="1"), "probability"
    ),
    ShelfKind("Cause and effect", Filters(task="commonsense"), "score"),
    ShelfKind("Arithmetic", Filters(task="arithmetic"), "score"),
    ShelfKind("How stories go on", Filters(task="open_ended"), "score"),
)
OF_THE_COUNTRY: Sequence[ShelfKind] = (
    KINDS[0],
    ShelfKind("What it was taught not to tell", Filters(task="open_ended"), "score"),
)
"""Of the real demo, whose open-ended prompts are no stories."""


def shelves(session: Session, run: Run) -> list[tuple[ShelfKind, list[ListedResult]]]:
    """The first prompts of each kind; kinds that the run has none of are left out."""
    kinds = OF_THE_COUNTRY if run.corpus.name == COUNTRY else KINDS
    found = [browse.first_of_each(session, run, [each.filters], each.sort, SIZE)[0] for each in kinds]
    return [(kind, rows) for kind, rows in zip(kinds, found, strict=True) if rows]
