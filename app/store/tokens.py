"""Tokens and sign-ins: made, listed, revoked, and recognised. What is kept of each is a digest.

A token has 256 random bits, so one round of SHA-256 keeps it: there is nothing to guess. It begins with `startrail_`, so that
scanners for leaked secrets can know it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session, joinedload

from app.errors import NotFound, UserError
from app.store.access_tables import SignIn, Token
from app.store.base import now
from app.store.naming import suggest
from app.store.readers import SCOPES, Scope

PREFIX = "startrail_"
MINUTE = timedelta(minutes=1)
SIGNED_IN = timedelta(days=30)  # or as long as the token is good, if that ends before


def digest(secret: str) -> str:
    """What is kept of a token or cookie."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def add(session: Session, name: str, scopes: Sequence[str], *, expires_at: datetime | None) -> str:
    """A new token: returned here and known to nobody afterwards.

    Raises:
        UserError: the name is taken or empty, or a scope is unknown.
    """
    name = name.strip()
    if not name or len(name) > 200:
        raise UserError("A token has a name of 1 to 200 characters.", field="name", remedy="Name its holder.")
    unknown = [each for each in scopes if each not in SCOPES]
    if unknown or not scopes:
        raise UserError(
            f"There is no scope “{', '.join(unknown)}”." if unknown else "A token needs a scope.",
            field="scope",
            remedy=f"Give some of {', '.join(SCOPES)}.",
        )
    if session.scalar(select(Token.id).where(Token.name == name)) is not None:
        raise UserError(f"There is a token “{name}” already.", field="name", remedy="Choose another name.")
    secret = PREFIX + secrets.token_urlsafe(32)
    kept = [each for each in SCOPES if each in scopes]
    session.add(Token(name=name, digest=digest(secret), scopes=kept, expires_at=expires_at))
    session.flush()
    return secret


def all_of(session: Session) -> list[Token]:
    """Every token, revoked ones too, by name."""
    return list(session.scalars(select(Token).order_by(Token.name)))


def revoke(session: Session, name: str) -> Token:
    """From now on the token opens nothing, and nobody who signed in with it is signed in.

    Raises:
        NotFound: there is none of this name.
    """
    token = session.scalar(select(Token).where(Token.name == name))
    if token is None:
        names = session.scalars(select(Token.name)).all()
        raise NotFound(f"There is no token “{name}”.", remedy=suggest(name, names, "startrail tokens list"))
    token.revoked_at = token.revoked_at or now()
    session.execute(delete(SignIn).where(SignIn.token_id == token.id))
    return token


def known(session: Session, secret: str) -> Token | None:
    """The token, if it is good now."""
    return session.scalar(select(Token).where(Token.digest == digest(secret), *_good()))


def sign_in(session: Session, token: Token) -> tuple[str, datetime]:
    """A cookie for a browser whose reader gave this token, and when it ends; old ones are forgotten."""
    session.execute(delete(SignIn).where(SignIn.expires_at < now()))
    cookie, ends = secrets.token_urlsafe(32), now() + SIGNED_IN
    session.add(SignIn(digest=digest(cookie), token_id=token.id, expires_at=ends))
    return cookie, ends


def signed_in(session: Session, cookie: str) -> Token | None:
    """The token that this browser's reader gave, if it is still good."""
    found = select(SignIn).join(SignIn.token).options(joinedload(SignIn.token))
    row = session.scalar(found.where(SignIn.digest == digest(cookie), SignIn.expires_at > now(), *_good()))
    return row.token if row else None


def sign_out(session: Session, cookie: str) -> None:
    """The cookie opens nothing any more."""
    session.execute(delete(SignIn).where(SignIn.digest == digest(cookie)))


def note_use(session: Session, token: Token) -> None:
    """Remember that it was used, to the minute: one that is used all the time is not written all the time."""
    stale = or_(Token.used_at.is_(None), Token.used_at < now() - MINUTE)
    session.execute(
        update(Token)
        .where(Token.id == token.id, stale)
        .values(used_at=now())
        .execution_options(synchronize_session=False)
    )


def scopes_of(token: Token) -> frozenset[Scope]:
    """What its holder may do; an admin may do everything."""
    return frozenset(SCOPES if "admin" in token.scopes else (s for s in SCOPES if s in token.scopes))


def _good() -> tuple[ColumnElement[bool], ...]:
    return Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > now())
