"""To whom runs and corpora are shown: public, unlisted behind a secret link, or private."""

import secrets
from urllib.parse import quote

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from app.errors import UserError
from app.store import audit
from app.store.corpora import get_corpus
from app.store.readers import PUBLIC, READER, UNLISTED, VISIBILITIES
from app.store.runs import get_run, run_beside
from app.store.tables import Corpus, Run

KINDS = ("run", "corpus")
KEY = "key"  # before the secret, in the query of a secret link


def show(session: Session, kind: str, name: str, visibility: str) -> str | None:
    """Show a run or corpus to everybody, to whoever has its link, or to whoever is signed in.

    Returns:
        the secret that the link of what is unlisted ends with; a new one each time, so that an old link can be closed.

    Raises:
        UserError: there is nothing of this name, or no such kind or visibility.
    """
    if visibility not in VISIBILITIES:
        raise UserError(
            f"Nothing can be “{visibility}”.", field="visibility", remedy=f"Choose {', '.join(VISIBILITIES)}."
        )
    if kind not in KINDS:
        raise UserError(f"A {kind} cannot be hidden.", field="kind", remedy=f"Name a {' or a '.join(KINDS)}.")
    secret = secrets.token_urlsafe(18) if visibility == UNLISTED else None
    row: Run | Corpus = get_run(session, name) if kind == "run" else get_corpus(session, name)
    both = [row, run_beside(session, row) if isinstance(row, Run) else None]
    for each in both:
        if each is not None:
            each.visibility, each.secret = visibility, secret
    audit.record(session, "show", f"{kind} {name}", to=visibility)
    return secret


def address_of(kind: str, name: str) -> str:
    """The path of a run's or corpus's page."""
    return f"/{'runs' if kind == 'run' else 'corpora'}/{quote(name, errors='replace')}"


def opened_by(session: Session, secret: str) -> bool:
    """Whether a secret link has this secret."""
    runs, corpora = Run.__table__.c, Corpus.__table__.c
    links = union_all(
        select(runs.id).where(runs.secret == secret, runs.visibility == UNLISTED),
        select(corpora.id).where(corpora.secret == secret, corpora.visibility == UNLISTED),
    )
    return session.connection().execute(links).first() is not None


def hidden_corpora(session: Session) -> frozenset[str]:
    """Names of the corpora that whoever reads now must not know of: their indexes on disk are not named either."""
    if READER.get() is None:
        return frozenset()
    corpora = Corpus.__table__.c
    marked = set(session.connection().scalars(select(corpora.name).where(corpora.visibility != PUBLIC)))
    if not marked:
        return frozenset()
    return frozenset(marked - set(session.scalars(select(Corpus.name).where(Corpus.name.in_(marked)))))
