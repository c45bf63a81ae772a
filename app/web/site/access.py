"""Nobody passes who may not: the reader of every request is known, and allowed, before any page sees it."""

import secrets
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from app.errors import UserError
from app.settings import Settings
from app.store.readers import READER, Visitor
from app.web.site import problems, urls
from app.web.site.fairness import client_of
from app.web.site.identity import ASKER, LINKS, MOST_LINKS, Given, NotSignedIn, asker_of, given, reader_of
from app.web.site.methods import wrong_method
from app.web.site.middleware import HttpMiddleware
from app.web.site.needs import SAFE, Need, needed
from app.web.site.respond import own_path, wants_fragment, wants_json

A_YEAR = 365 * 24 * 3600
DOING = {
    "read": "Reading", "ask": "Asking", "import": "Loading files", "metrics": "Reading measurements",
    "admin": "Changing what is here",
}  # fmt: skip


class Access(HttpMiddleware):
    """Knows the reader, refuses what they may not do, and keeps shared caches from what is theirs alone."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on in its reader's name, or answer why not."""
        request = Request(scope, receive)
        settings: Settings = request.app.state.settings
        shown = given(request, settings)
        need = needed(request.method, own_path(request))
        try:
            reader = await _reader(request, settings, shown)
            if need != "nothing" and not reader.may(need):
                raise wrong_method(request) or _refusal(reader, need)
            request.app.state.fairness.count(request, need, reader)
        except (UserError, SQLAlchemyError) as error:
            token = READER.set(Visitor())  # the page about it is drawn for nobody in particular
            try:
                answer = await run_sync(_refused, request, error)
                await answer(scope, receive, send)
            finally:
                READER.reset(token)
            return
        cookies = _cookies(request, shown, reader, need)
        asker = asker_of(cookies[ASKER]) if ASKER in cookies else reader.asker
        reader = replace(reader, asker=asker, share=client_of(reader)[:80])
        token = READER.set(reader)
        try:
            await self.app(scope, receive, _kept_apart(request, settings, reader, cookies, send))
        finally:
            READER.reset(token)


async def _reader(request: Request, settings: Settings, shown: Given) -> Visitor:
    address = request.client.host if request.client else ""
    store = request.app.state.store
    if not shown.to_look_up:
        return reader_of(store, settings, shown, address)
    try:
        return await run_sync(reader_of, store, settings, shown, address)
    except NotSignedIn:
        request.app.state.fairness.count_wrong_token(address)
        raise


def _refusal(reader: Visitor, need: Need) -> UserError:
    if not reader.signed_in:
        return NotSignedIn(
            f"{DOING[need]} needs a sign-in here.", "Sign in with a token; the operator gives them out."
        )
    return UserError(
        f"{DOING[need]} is not among the rights of “{reader.name}”.",
        remedy=f"Ask the operator for a token with the scope “{need}”.",
        status=403,
    )


def _refused(request: Request, error: UserError | SQLAlchemyError) -> Response:
    """The page about it; a person who may not even read is led to the sign-in."""
    if isinstance(error, SQLAlchemyError):
        return problems.in_trouble(request, error)
    plain = request.method in SAFE and not wants_json(request) and not wants_fragment(request)
    wants_page = "text/html" in request.headers.get("accept", "")
    if isinstance(error, NotSignedIn) and plain and wants_page:
        here = own_path(request) + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(urls.sign_in(next=here), status_code=303)
    answer = problems.answer(request, error)
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="startrail"'
    return answer


def _cookies(request: Request, shown: Given, reader: Visitor, need: Need) -> dict[str, str]:
    """What the browser is to remember: by what its own questions are known, and the secret links it opened."""
    kept = {}
    if need == "ask" and not reader.asker:
        kept[ASKER] = secrets.token_urlsafe(24)
    if shown.key in reader.keys - shown.links:
        kept[LINKS] = quote(".".join([shown.key, *sorted(shown.links)][:MOST_LINKS]), safe=".")
    return kept


def set_cookie(headers: MutableHeaders, request: Request, name: str, value: str, *, seconds: int) -> None:
    """A cookie that no script reads, no other site's form brings, and no plain line carries where the site has TLS."""
    cookie = SimpleCookie({name: value})
    said: dict[str, Any] = {"path": urls.home(), "httponly": True, "samesite": "Lax", "max-age": seconds}
    cookie[name].update(said)
    if request.url.scheme == "https":
        cookie[name]["secure"] = True
    headers.append("Set-Cookie", cookie[name].OutputString())


def _kept_apart(
    request: Request, settings: Settings, reader: Visitor, cookies: dict[str, str], send: Send
) -> Send:
    """Sends with the cookies; what one reader may see does not stay in a cache that others share."""
    own = reader.signed_in or bool(reader.keys) or settings.access == "private"

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in cookies.items():
                set_cookie(headers, request, name, value, seconds=A_YEAR)
            if own and not own_path(request).startswith("/static/"):
                said = headers.get("cache-control", "no-cache")
                headers["Cache-Control"] = (
                    said.replace("public", "private") if "public" in said else f"private, {said}"
                )
                headers.add_vary_header("Cookie, Authorization")
            headers["X-Request-ID"] = reader.request
        await send(message)

    return send_on
