"""`/upload/{job}`: how far a results file is on its way in, and what became of it."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.interchange.results import NULLS, UNKNOWN
from app.store import compare
from app.store.tables import Run
from app.web.loading.imports import ImportProblem, Imports, ImportState
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.params import Slug
from app.web.site.respond import respond
from app.web.site.routing import page_route

router = APIRouter()


class ImportPage(BaseModel):
    """One import."""

    title: str
    id: str
    file: str
    stage: str
    done: int
    total: int | None
    examples: int
    over: bool
    problem: ImportProblem | None
    run: str
    run_url: PageUrl | None
    prompts_url: PageUrl | None
    compare_url: PageUrl | None
    unknown_fields: dict[str, str]  # kept and not understood -> the nearest known name, where one is near
    read_as_null: dict[str, int]  # field -> how many NaN stood in it


@page_route(router, "/upload/{id_}", ImportPage, "get_upload")
def progress(request: Request, db: Db, id_: Slug) -> Response:
    """How far it is; the page asks again by itself until it is over."""
    imports: Imports = request.app.state.imports
    state = imports.get(id_)
    title = {"done": f"Loaded {state.file}", "failed": f"{state.file} was not loaded"}.get(
        state.stage, f"Loading {state.file}"
    )
    done = state.stage == "done"
    said = _said(db, state) if done else {}
    page = ImportPage(
        title=title,
        **vars(state),
        over=state.over,
        run_url=urls.run(state.run) if done else None,
        prompts_url=urls.prompts(run=state.run) if done else None,
        compare_url=_comparison(db, state) if done else None,
        unknown_fields=said.get(UNKNOWN, {}),
        read_as_null=said.get(NULLS, {}),
    )
    return respond(request, page, "import.html", block="progress")


def _comparison(session: Session, state: ImportState) -> str | None:
    """The new run beside the first other one that has its prompts."""
    other = compare.another_with(session, state.run)
    return urls.differences([other, state.run]) if other else None


def _said(session: Session, state: ImportState) -> dict[str, Any]:
    """What the import said of the file; nothing where the run was removed since."""
    return session.scalar(select(Run.configuration).where(Run.slug == state.run)) or {}
