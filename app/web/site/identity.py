"""Who sends a request: by token, by the cookie of a sign-in, by the word of a proxy that signs people in, or nobody."""

import secrets
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from app.errors import UserError
from app.settings import Settings, trusted
from app.store import tokens
from app.store.access_tables import Token
from app.store.engine import Store
from app.store.readers import SCOPES, Scope, Visitor
from app.store.showing import KEY, opened_by

SESSION, ASKER, LINKS = "startrail-session", "startrail-asker", "startrail-links"
MOST_LINKS = 20
EVERYBODY: dict[str, frozenset[Scope]] = {
    "open": frozenset({"read", "ask", "import"}),
    "read": frozenset({"read"}),
    "private": frozenset(),
}


class NotSignedIn(UserError):
    """What was asked needs a name (HTTP 401)."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy, status=401)


@dataclass(frozen=True)
class Given:
    """What a request shows of who sent it."""

    bearer: str
    cookie: str
    user: str
    asker: str
    key: str
    links: frozenset[str]

    @property
    def to_look_up(self) -> bool:
        """Whether the store must be asked."""
        return bool(self.bearer or self.cookie or self.key)


def given(request: Request, settings: Settings) -> Given:
    """Read from headers, cookies and, of a secret link, the query."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    ours = kind.lower() == "bearer" and bearer.strip().startswith(tokens.PREFIX)
    links = request.cookies.get(LINKS, "").split(".")[:MOST_LINKS]
    return Given(
        bearer=bearer.strip() if ours else "",
        cookie=request.cookies.get(SESSION, "")[:100],
        user=_user(request, settings),
        asker=request.cookies.get(ASKER, "")[:100],
        key=request.query_params.get(KEY, "")[:100],
        links=frozenset(each for each in links if each),
    )


def _user(request: Request, settings: Settings) -> str:
    """Whom a proxy of ours has signed in. From anybody else the header says nothing."""
    direct = request.scope.get("direct_client") or request.scope.get("client")
    if not settings.signin_header or not direct or not trusted(direct[0], settings.trusted_proxies):
        return ""
    return request.headers.get(settings.signin_header, "").strip()[:200]


def reader_of(store: Store, settings: Settings, shown: Given, address: str) -> Visitor:
    """The reader. Asks the store only where something was shown that it must know.

    Raises:
        NotSignedIn: a token was given that is not good.
    """
    request, keys = secrets.token_hex(8), set(shown.links)
    token: Token | None = None
    if shown.to_look_up:
        with store.session() as session:
            if shown.bearer and (token := tokens.known(session, shown.bearer)) is None:
                raise NotSignedIn("This token is not good here.", "It may have ended; ask the operator.")
            if token is None and shown.cookie:
                token = tokens.signed_in(session, shown.cookie)
            if token is not None:
                tokens.note_use(session, token)
            if shown.key and opened_by(session, shown.key):
                keys.add(shown.key)
    common: dict[str, Any] = {"keys": frozenset(keys), "address": address, "request": request}
    everybody = EVERYBODY[settings.access]
    if token is not None:
        allowed = tokens.scopes_of(token) | everybody
        return Visitor(token.name, allowed, f"token:{token.id}", **common)
    if shown.user:
        own = SCOPES if shown.user in settings.admins else settings.signin_scopes
        return Visitor(shown.user, everybody | set(own), f"user:{tokens.digest(shown.user)[:40]}", **common)
    return Visitor("", everybody, asker_of(shown.asker) if shown.asker else "", **common)


def asker_of(cookie: str) -> str:
    """What is kept with a question of who asked it."""
    return f"cookie:{tokens.digest(cookie)[:40]}"
