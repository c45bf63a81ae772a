"""`/sign-in` and `/sign-out`: a token, given once, becomes a cookie. Plain forms: they work without scripts."""

from datetime import UTC, datetime
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from app.store import audit, tokens
from app.store.readers import READER, Visitor
from app.web.site import urls
from app.web.site.access import set_cookie
from app.web.site.body import read_form
from app.web.site.identity import SESSION
from app.web.site.params import Plain
from app.web.site.respond import respond

router = APIRouter()
MAX_BODY = 8 << 10
Next = Annotated[Plain, Query(max_length=3000, description="where to go then, a path of this site")]


class SignInPage(BaseModel):
    """The form, and what was wrong with what it brought."""

    title: str = "Sign in"
    status: int = 200  # a page that has one has no document beside it
    wrong: str = ""
    next: str
    name: str  # of who is signed in already
    scopes: list[str]


@router.get("/sign-in", include_in_schema=False)
def form(request: Request, next: Next = "") -> Response:
    """The form; who is signed in already sees as whom."""
    return _page(request, next)


@router.post("/sign-in", include_in_schema=False)
async def sign_in(request: Request) -> Response:
    """Take the token, and remember its holder by a cookie."""
    fields = dict(await read_form(request, MAX_BODY))
    return await anyio.to_thread.run_sync(_sign_in, request, fields)


def _sign_in(request: Request, fields: dict[str, str]) -> Response:
    next_ = fields.get("next", "")
    with request.app.state.store.session() as session:
        token = tokens.known(session, fields.get("token", "").strip())
        if token is None:
            request.app.state.fairness.count_wrong_token(request.client.host if request.client else "")
            return _page(request, next_, "This token is not good here: mistyped, ended or revoked.")
        cookie, ends = tokens.sign_in(session, token)
        audit.record(session, "sign in", token.name)
    answer = RedirectResponse(own_place(next_), status_code=303)
    seconds = int((ends - datetime.now(UTC)).total_seconds())
    set_cookie(answer.headers, request, SESSION, cookie, seconds=seconds)
    return answer


@router.post("/sign-out", include_in_schema=False)
def sign_out(request: Request) -> Response:
    """Forget the cookie, here and in the browser."""
    with request.app.state.store.session() as session:
        tokens.sign_out(session, request.cookies.get(SESSION, ""))
    answer = RedirectResponse(urls.home(), status_code=303)
    set_cookie(answer.headers, request, SESSION, "", seconds=0)
    return answer


def own_place(path: str) -> str:
    """The address of a path of this site; anything else, such as another site's address, leads home."""
    local = path.startswith("/") and not path.startswith("//") and not set(path) & set("\\\r\n\t")
    return urls.at(path) if local else urls.home()


def _page(request: Request, next_: str, wrong: str = "") -> Response:
    reader = READER.get() or Visitor()
    page = SignInPage(
        status=401 if wrong else 200, next=next_, wrong=wrong, name=reader.name, scopes=sorted(reader.scopes)
    )
    return respond(request, page, "sign_in.html", status=page.status)
