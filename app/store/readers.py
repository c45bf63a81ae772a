"""Who reads or asks: what each session of the store hides, and under whose name work is queued, follow from it.

The site sets the reader of every request (`app.web.site.access`). Where none is set, as in commands and workers,
everything is seen.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Scope = Literal["read", "ask", "import", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "ask", "import", "metrics", "admin")
PUBLIC, UNLISTED, PRIVATE = "public", "unlisted", "private"
ADDING = "adding"  # of a corpus that is not whole yet: nobody may choose it, and nobody sees it
Visibility = Literal["public", "unlisted", "private"]
VISIBILITIES: tuple[Visibility, ...] = ("public", "unlisted", "private")


@dataclass(frozen=True)
class Visitor:
    """Somebody who sent a request.

    Args:
        name: of the token or user; empty for who did not sign in.
        scopes: what they may do.
        asker: by what their own questions are known again: a digest, or `token:ID`; empty for who never asked.
        keys: of the secret links that their browser opened.
        address: of their machine, as far as it is known.
        request: the request's id, for logs.
        share: whose share of the queue their questions take; empty for who is not counted.
    """

    name: str = ""
    scopes: frozenset[str] = frozenset()
    asker: str = ""
    keys: frozenset[str] = frozenset()
    address: str = ""
    request: str = ""
    share: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether they may do this."""
        return scope in self.scopes

    @property
    def signed_in(self) -> bool:
        """Whether they are known by name."""
        return bool(self.name)


READER: ContextVar[Visitor | None] = ContextVar("reader", default=None)
EVERYTHING = {
    "reader_sees_everything": True
}  # as execution options of a statement that counts, and shows nothing
