"""The tables of who may do what and who did it: tokens, sign-ins, the audit log, what must not come back."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.store.any_text import AnyText
from app.store.base import Base, now


class Token(Base):
    """A right to do some things here, given to somebody. The token itself is known to its holder alone."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the token
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # to the minute
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SignIn(Base):
    """A browser that gave a token on the sign-in page; its cookie is kept hashed, like the token."""

    __tablename__ = "sign_ins"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    token: Mapped[Token] = relationship()


class AuditEntry(Base):
    """Who changed what, and when. Nothing of ours changes or removes an entry."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, index=True)
    who: Mapped[str] = mapped_column(AnyText)
    action: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(AnyText)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Denied(Base):
    """A text that was taken down, by its digest: an import that brings it again is refused or leaves it out."""

    __tablename__ = "denied"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))  # passage, prompt
    reason: Mapped[str] = mapped_column(AnyText)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
