"""The pages: one file each, and here the list of the modules whose `router` the application includes."""

from functools import cache
from importlib import import_module

from fastapi import APIRouter, Depends
from starlette.routing import BaseRoute

from app.web.site.known import known_parameters

PAGES = (
    "browsing.exports",  # before the pages whose paths take any suffix
    "asking.trace_export",
    "front.home",
    "browsing.prompts",
    "browsing.runs",
    "browsing.behind",
    "reading.example",
    "reading.passage",
    "finds.mistakes",
    "finds.finds",
    "judging.evaluation",
    "judging.evaluation_prompts",
    "judging.methods",
    "judging.truth",
    "judging.without_form",
    "judging.without",
    "judging.audits",
    "front.about",
    "front.glossary",
    "front.health",
    "reading.differ",
    "reading.compare",
    "loading.upload",
    "loading.import_page",
    "reading.share",
    "reading.oembed",
    "front.machines",
    "reading.cite",
    "asking.form",
    "asking.trace",
    "asking.api",
    "keeping.signing",
    "keeping.admin",
    "keeping.status",
    "asking.batches",
)


@cache
def routes() -> tuple[BaseRoute, ...]:
    """The routes of all pages, the same ones for every application of a process.

    What each of them takes is worked out at the first request, in half a second for all, and nothing in it belongs to one
    application: they share it.
    """
    pages = APIRouter(dependencies=[Depends(known_parameters)])
    for page in PAGES:
        pages.include_router(import_module(f"app.web.{page}").router)
    return tuple(pages.routes)
