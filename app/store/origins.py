"""Where a model or a corpus comes from, in the words of whoever added it."""

from dataclasses import dataclass, fields

from sqlalchemy.orm import Session

from app.store.tables import Corpus, Model


@dataclass(frozen=True)
class Origin:
    """What people say of a model or corpus. Empty: nothing was said.

    Args:
        description: one sentence.
        source: an address or a sentence: where it can be had, or how it was made.
        licence: its name, best an SPDX identifier.
        author: who made it.
    """

    description: str = ""
    source: str = ""
    licence: str = ""
    author: str = ""


NOTHING_SAID = Origin()


def describe(session: Session, row: Model | Corpus, said: Origin, *, over: bool = True) -> None:
    """Keep what was said of a model or corpus; what was left out stays as it is.

    Args:
        over: whether it replaces what was said before, or only fills in what nobody said.
    """
    for each in fields(said):
        if (text := getattr(said, each.name).strip()) and (over or not getattr(row, each.name)):
            setattr(row, each.name, text)
    session.flush()


def origin_of(row: Model | Corpus) -> Origin:
    """What was said of a model or corpus."""
    return Origin(row.description, row.source, row.licence, row.author)
