"""`/upload/{job}`: how far a results file is on its way in, and what became of it."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.store import compare
from app.web.loading.imports import Imports, Job, Problem
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.params import Slug
from app.web.site.respond import page_route, respond

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
    problem: Problem | None
    run: str
    run_url: str | None
    prompts_url: str | None
    compare_url: str | None


@page_route(router, "/upload/{id_}")
def progress(request: Request, db: Db, id_: Slug) -> Response:
    """How far it is; the page asks again by itself until it is over."""
    imports: Imports = request.app.state.imports
    job = imports.get(id_)
    title = {"done": f"Loaded {job.file}", "failed": f"{job.file} was not loaded"}.get(
        job.stage, f"Loading {job.file}"
    )
    done = job.stage == "done"
    page = ImportPage(
        title=title,
        **job.model_dump(include={"id", "file", "stage", "done", "total", "examples", "problem", "run"}),
        over=job.over,
        run_url=urls.run(job.run) if done else None,
        prompts_url=urls.prompts(run=job.run) if done else None,
        compare_url=_comparison(db, job) if done else None,
    )
    return respond(request, page, "import.html", block="progress")


def _comparison(session: Db, job: Job) -> str | None:
    """The new run beside the first other one that has its prompts."""
    other = compare.another_with(session, job.run)
    return urls.differences([other, job.run]) if other else None
