"""`/compare?runs=a,b`: the prompts on which two runs differ most, and the place to choose runs."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.errors import UserError
from app.store import differences as ask
from app.store.compare import runs_named
from app.store.runs import list_runs
from app.store.tables import Run
from app.tracing.explained import asked_of, explains_of
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl, in_form
from app.web.site.params import HELD, Limit, Name, TwoRuns
from app.web.site.promised import elsewhere
from app.web.site.respond import respond
from app.web.site.routing import page_route

router = APIRouter()
PAGE = 50


class RunOption(BaseModel):
    """A run that can be chosen; `group` names its prompt set: runs of one set always share prompts."""

    slug: str
    name: str
    method: str
    model: str
    group: str


class DifferingPrompt(BaseModel):
    """One prompt in both runs; the lists compared are those behind `explained`."""

    slug: str
    prompt: str
    target: str
    explains: str  # `said` or `target`
    explained: str
    task: str
    shared: int
    of: int
    first_correct_a: int | None
    first_correct_b: int | None
    url: PageUrl


class DifferPage(BaseModel):
    """The list, or with no runs chosen only the choice."""

    title: str
    choices: list[RunOption]
    a: RunOption | None = None
    b: RunOption | None = None
    depth: int = ask.DEPTH
    total: int = 0
    mean: float | None = None  # of the overlaps, in percent
    counts: list[int] = []  # prompts that share 0 %, 10 % and more, … 100 % of their passages
    cut: bool = False  # only the first MAX_PROMPTS were looked at
    rows: list[DifferingPrompt] = []
    first_url: PageUrl | None = None
    next_url: PageUrl | None = None


@page_route(router, "/compare", DifferPage, "list_differences", also=elsewhere())
def differ(request: Request, db: Db, runs: TwoRuns = "", after: Name = "", limit: Limit = None) -> Response:
    """Prompts of two runs, those that share fewest of their first passages first."""
    chosen = request.query_params.getlist("runs")
    if len(chosen) > 1:  # two selects of a form: one canonical address for the pair
        address = urls.differences([name for name in chosen if name])
        return RedirectResponse(in_form(request, address), 307)
    names = [name for name in runs.split(",") if name]
    return respond(request, load(db, names, after, limit), "differ.html")


def load(session: Session, names: list[str], after: str, limit: int | None = None) -> DifferPage:
    """The page; `after` is where the page before it ended, `overlap.position`."""
    choices = [_choice(run) for run in list_runs(session) if run.status == "done"]
    if not names:
        return DifferPage(title="Compare two runs", choices=choices)
    found = runs_named(session, names)
    if len(found) > 2:
        raise UserError(
            "Prompts are listed for two runs at a time.",
            remedy="Choose two; up to four can be compared on one prompt.",
            field="runs",
        )
    a, b = found
    size = limit or PAGE
    rows = ask.differences(session, a, b, after=_place(after), limit=size + 1)
    overlaps = ask.overlaps(session, a, b)
    total = sum(overlaps.values())
    shown, more = rows[:size], len(rows) > size
    here = urls.replaced(urls.differences(names), limit=limit)
    return DifferPage(
        title=f"Where {a.name} and {b.name} differ most",
        choices=choices,
        a=_choice(a),
        b=_choice(b),
        total=total,
        mean=sum(percent * count for percent, count in overlaps.items()) / total if total else None,
        counts=[sum(n for percent, n in overlaps.items() if percent // 10 == tenth) for tenth in range(11)],
        cut=max(a.prompt_count, b.prompt_count) > ask.MAX_PROMPTS,
        rows=[
            DifferingPrompt(
                slug=row.prompt.slug,
                prompt=row.prompt.text,
                target=row.prompt.target,
                explains=explains_of(row.explains, row.output),
                explained=asked_of(row.explains, row.prompt, row.output).explained,
                task=row.prompt.task,
                shared=row.shared,
                of=row.of,
                first_correct_a=row.first_correct_a,
                first_correct_b=row.first_correct_b,
                url=urls.compare(row.prompt.slug, names),
            )
            for row in shown
        ],
        first_url=here if after else None,
        next_url=urls.replaced(here, after=f"{shown[-1].overlap}.{shown[-1].position}") if more else None,
    )


def _place(after: str) -> tuple[int, int] | None:
    if not after:
        return None
    overlap, _, position = after.partition(".")
    if not (overlap.isdecimal() and position.isdecimal() and len(after) < 20):
        raise UserError(
            f"“{after}” is no place in this list.", remedy="Start from its first page.", field="after"
        )
    return min(int(overlap), HELD), min(int(position), HELD)


def _choice(run: Run) -> RunOption:
    return RunOption(
        slug=run.slug, name=run.name, method=run.method, model=run.model.name, group=run.prompt_set.name
    )
