"""`/methods`: the registry of methods as people read it."""

from collections import Counter
from collections.abc import Iterable

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.store.runs import list_runs
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.words.method import KINDS, NEEDS, Method
from app.words.methods import METHODS, encodings, method_of, place_of

router = APIRouter()


class MethodInfo(BaseModel):
    """One method; `made_by` is the command that ranks by it here, empty where results only come in files."""

    name: str
    label: str
    kind: str
    sentence: str
    needs: list[str]
    made_by: str
    light: str
    dark: str
    runs: int
    runs_url: PageUrl


class MethodsPage(BaseModel):
    """Every method that can rank here, and those that runs here are of."""

    title: str = "Methods"
    methods: list[MethodInfo]
    ablations: list[str]


@page_route(router, "/methods", MethodsPage, "list_methods")
def methods_page(request: Request, session: Db) -> Response:
    """The methods: what each is, what it needs, and its runs here."""
    counts = Counter(method_of(run.method).name for run in list_runs(session))
    page = MethodsPage(methods=_listed(counts), ablations=list(encodings()))
    return respond(request, page, "methods.html")


def _listed(counts: Counter[str]) -> list[MethodInfo]:
    names: Iterable[str] = {name for name, method in METHODS.items() if method.ranks} | counts.keys()
    return [_info(method_of(name), counts[name]) for name in sorted(names, key=lambda n: (place_of(n), n))]


def _info(method: Method, runs: int) -> MethodInfo:
    return MethodInfo(
        name=method.name,
        label=method.label,
        kind=KINDS[method.kind],
        sentence=method.sentence,
        needs=[NEEDS[need] for need in method.needs],
        made_by=f"startrail retrieve INDEX --prompts SET --method {method.name}" if method.ranks else "",
        light=method.colour[0],
        dark=method.colour[1],
        runs=runs,
        runs_url=urls.runs(method=method.name),
    )
