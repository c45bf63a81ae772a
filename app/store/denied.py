"""What was taken down, by digest, so that no import brings it back."""

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.store.access_tables import Denied

REMOVED = (
    "[This passage was removed.]"  # stands where a passage's text stood: rows of indexes are counted by it
)


def text_digest(kind: str, text: str) -> str:
    """By what a text is known again: its words, however they are spaced, in any case."""
    plain = " ".join(text.split()).casefold()
    return hashlib.sha256(f"{kind}:{plain}".encode("utf-8", "surrogatepass")).hexdigest()


def deny(session: Session, kind: str, text: str, reason: str) -> None:
    """Let this text not come back."""
    session.merge(Denied(digest=text_digest(kind, text), kind=kind, reason=reason))


class Denylist:
    """The texts of one kind that are not let in; read once for an import."""

    def __init__(self, session: Session, kind: str) -> None:
        self._kind = kind
        rows = session.execute(select(Denied.digest, Denied.reason).where(Denied.kind == kind)).all()
        self._reasons = {row.digest: row.reason for row in rows}

    def reason(self, text: str) -> str | None:
        """Why it was taken down; None of what was not."""
        return self._reasons.get(text_digest(self._kind, text)) if self._reasons else None

    def let_in(self, text: str) -> str:
        """The text, or what stands in place of one that was taken down."""
        return text if self.reason(text) is None else REMOVED

    def refuse(self, text: str, named: str) -> None:
        """Raise if it was taken down.

        Raises:
            UserError: with the reason (HTTP 451).
        """
        if (reason := self.reason(text)) is not None:
            raise UserError(
                f"The {self._kind} “{named}” was taken down here: {reason}",
                remedy="Leave it out of the file.",
                status=451,
            )
