"""`/admin`: to whom things are shown, which tokens there are, and who changed what."""

from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from app.runs.taking_down import remove
from app.store import audit, tokens
from app.store.corpora import list_corpora
from app.store.readers import VISIBILITIES
from app.store.runs import list_runs
from app.store.showing import KEY, show
from app.store.taking_down import KINDS
from app.web.site import urls
from app.web.site.body import read_form
from app.web.site.context import Db
from app.web.site.moments import Moment
from app.web.site.respond import origin, respond
from app.web.site.routing import page_route

router = APIRouter()
MAX_BODY = 64 << 10
ENTRIES = 100


class ShownThing(BaseModel):
    """A run or corpus, and to whom it is shown."""

    kind: str
    name: str
    label: str
    url: str
    visibility: str
    link: str | None


class TokenInfo(BaseModel):
    """A token, without itself."""

    name: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None
    used_at: Moment | None
    revoked_at: Moment | None


class LoggedChange(BaseModel):
    """An entry of the audit log."""

    at: Moment
    who: str
    action: str
    what: str
    detail: dict[str, Any]


class AdminPage(BaseModel):
    """What the operator sees."""

    title: str = "Keeping this site"
    visibilities: list[str]
    removable: list[str]
    things: list[ShownThing]
    tokens: list[TokenInfo]
    changes: list[LoggedChange]


@page_route(router, "/admin", AdminPage, "get_admin")
def admin(request: Request, session: Db) -> Response:
    """Runs and corpora with whom they are shown to, tokens, and the audit log."""
    base = origin(request)
    things = [
        *(_thing(base, "run", run.slug, run.name, urls.run(run.slug), run) for run in list_runs(session)),
        *(_thing(base, "corpus", c.name, c.name, urls.corpus(c.name), c) for c in list_corpora(session)),
    ]
    page = AdminPage(
        visibilities=list(VISIBILITIES),
        removable=list(KINDS),
        things=things,
        tokens=[TokenInfo.model_validate(each, from_attributes=True) for each in tokens.all_of(session)],
        changes=[
            LoggedChange.model_validate(each, from_attributes=True) for each in audit.recent(session, ENTRIES)
        ],
    )
    return respond(request, page, "admin.html")


@router.post("/admin/show", include_in_schema=False)
async def change(request: Request) -> Response:
    """Show a run or corpus to others than before."""
    fields = dict(await read_form(request, MAX_BODY))

    def put() -> None:
        with request.app.state.store.session() as session:
            show(session, fields.get("kind", ""), fields.get("name", ""), fields.get("visibility", ""))

    await anyio.to_thread.run_sync(put)
    return RedirectResponse(urls.admin(), status_code=303)


@router.post("/admin/remove", include_in_schema=False)
async def take_down(request: Request) -> Response:
    """Take something down, for good; on to its address, which says why."""
    fields = dict(await read_form(request, MAX_BODY))
    kind, name, reason = (fields.get(each, "").strip() for each in ("kind", "name", "reason"))
    state = request.app.state
    address = await anyio.to_thread.run_sync(remove, state.keeping, state.settings, kind, name, reason)
    return RedirectResponse(urls.at(address), status_code=303)


def _thing(base: str, kind: str, name: str, label: str, url: str, row: Any) -> ShownThing:
    link = base + urls.with_query(url, {KEY: row.secret}) if row.secret else None
    return ShownThing(kind=kind, name=name, label=label, url=url, visibility=row.visibility, link=link)
