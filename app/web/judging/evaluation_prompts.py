"""`/evaluation/prompts`: the prompts behind one number of the evaluation, each with its share in it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import UserError
from app.evaluation.metrics import estimate
from app.evaluation.shares import Floats, Longs, kinds_column, paired, shares_of
from app.store.engine import Store
from app.store.memory import state_of
from app.store.prompts import buckets_are_counts
from app.store.runs import get_run
from app.store.tables import Prompt, Run
from app.web.judging.evaluation_lines import patched_by
from app.web.judging.figures import Cell
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.downloads import etag
from app.web.site.links import PageUrl
from app.web.site.params import HELD, MOST_AT_ONCE, Short
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.tables import kind_of, streamed_table, table_route
from app.words.measures import LABELS, MAIN, in_points
from app.words.passages import TYPES
from app.words.slices import EVALUATED, value_name
from app.words.tasks import task_name

router = APIRouter()
AT_ONCE = 100  # prompts on a page


class FigureQuery(BaseModel):
    """Which number: a measure, or how often a type stands at a rank; over which part of a run's prompts."""

    run: Short
    task: Short = "fact"
    measure: Annotated[Short, Field(json_schema_extra={"enum": ["", *LABELS]})] = ""
    kind: Annotated[Short, Field(json_schema_extra={"enum": ["", *TYPES]})] = ""
    rank: int = Field(1, ge=1, le=HELD)
    against: Short = ""
    relation: Short = ""
    bucket: Short = ""
    right: Short = ""
    confidence: Short = ""
    low: bool = False
    page: int = Field(1, ge=1, le=HELD)
    limit: int = Field(AT_ONCE, ge=1, le=MOST_AT_ONCE)

    @property
    def slices(self) -> dict[str, str]:
        """The slices asked for."""
        return {by: value for by in EVALUATED if (value := str(getattr(self, by)))}

    def url(self, **changes: object) -> str:
        """The page with some of it changed."""
        usual: dict[str, object] = {"rank": 1 if not self.kind else None, "page": 1, "limit": AT_ONCE}
        query = {
            name: value for name, value in (self.model_dump() | changes).items() if value != usual.get(name)
        }
        return urls.evaluation_prompts(**query)


class PromptShare(BaseModel):
    """One prompt and what it adds."""

    prompt: str
    target: str
    url: PageUrl
    value: float
    ours: float
    theirs: float | None


class FigurePage(BaseModel):
    """The number, and its prompts."""

    title: str
    asked: FigureQuery
    run_name: str
    run_url: PageUrl
    of: str
    measure: str
    against: str | None
    patched: str
    total: Cell | None
    prompts: int
    items: list[PromptShare]
    first: int
    order_url: PageUrl
    previous_url: PageUrl | None
    next_url: PageUrl | None
    csv_url: str


AskedQuery = Annotated[FigureQuery, Query()]


def _read(session: Db, asked: AskedQuery) -> tuple[Run, Run | None, FigureQuery]:
    """The runs asked about.

    Raises:
        UserError: the measure or type is unknown, or a type is to be compared.
    """
    if asked.measure not in ("", *LABELS):
        raise UserError(
            f"There is no measure “{asked.measure}”.",
            field="measure",
            remedy=f"Use one of {', '.join(LABELS)}.",
        )
    if asked.kind not in ("", *TYPES):
        raise UserError(
            f"There is no type “{asked.kind}”.", field="kind", remedy=f"Use one of {', '.join(TYPES)}."
        )
    if not asked.measure and not asked.kind:
        asked = asked.model_copy(update={"measure": MAIN[0]})
    if asked.against and not asked.measure:
        raise UserError(
            "Types are not compared with those of another run.", field="against", remedy="Leave it out."
        )
    return get_run(session, asked.run), get_run(session, asked.against) if asked.against else None, asked


Read = Annotated[tuple[Run, Run | None, FigureQuery], Depends(_read)]


@page_route(router, "/evaluation/prompts", FigurePage, "list_evaluated_prompts")
def prompts_page(request: Request, session: Db, read: Read) -> Response:
    """The prompts of a `run` and `task` with their values of a `measure` (or with a passage of a `kind` at a `rank`),
    in the slices given, `against` another run's."""
    run, other, asked = read
    behind = _behind(session, run, other, asked)
    found = estimate(behind.values) if asked.measure else None
    first = (asked.page - 1) * asked.limit
    name = LABELS.get(asked.measure) or f"{TYPES[asked.kind]}, at rank {asked.rank}"
    rows = leading(behind.values, first, asked.limit, lowest=asked.low)
    page = FigurePage(
        title=f"{name}: {run.name}",
        asked=asked,
        run_name=run.name,
        run_url=urls.run(run.slug, task=asked.task),
        of=_of(asked, buckets_are_counts(run.prompt_set)),
        measure=name,
        against=other.name if other else None,
        patched=patched_by(filter(None, (run, other))) if in_points(asked.measure) else "",
        total=Cell(**asdict(found), url=asked.url()) if found else None,
        prompts=len(behind.values),
        items=_items(session, run, other, behind.at(rows)),
        first=first,
        order_url=asked.url(low=not asked.low, page=1),
        previous_url=asked.url(page=asked.page - 1) if asked.page > 1 else None,
        next_url=asked.url(page=asked.page + 1) if first + asked.limit < len(behind.values) else None,
        csv_url=urls.twin(asked.url(page=1), "csv"),
    )
    return respond(request, page, "evaluation_prompts.html")


@table_route(router, "/evaluation/prompts", "export_evaluated_prompts")
def prompts_file(request: Request, session: Db, read: Read) -> Response:
    """All prompts of a figure, with what each adds, in the run's order."""
    run, other, asked = read
    behind = _behind(session, run, other, asked)
    store: Store = request.app.state.store
    kinds = {"prompt": str, "target": str, "value": float} | (
        {"ours": float, "theirs": float} if other else {}
    )
    state = (asked.model_dump(), state_of(run), state_of(other) if other else None)
    return streamed_table(
        request,
        f"{run.slug}-{asked.measure or asked.kind}",
        {**kinds, "url": str},
        _rows(store, run, other, behind),
        tag=etag(kind_of(request), *state),
        count=len(behind.values),
    )


def _rows(store: Store, run: Run, other: Run | None, behind: "Behind") -> Iterator[dict[str, Any]]:
    for start in range(0, len(behind.values), AT_ONCE):
        with store.session() as session:
            items = _items(session, run, other, behind.at(slice(start, start + AT_ONCE)))
        yield from (item.model_dump() for item in items)


@dataclass(frozen=True, eq=False)
class Behind:
    """The prompts behind a figure, in the run's order: (n,) ids, and (n,) what each adds, is ours and is theirs."""

    prompts: Longs
    values: Floats
    ours: Floats
    theirs: Floats | None = None

    def at(self, rows: Longs | slice) -> "Behind":
        """Some of them."""
        theirs = None if self.theirs is None else self.theirs[rows]
        return Behind(self.prompts[rows], self.values[rows], self.ours[rows], theirs)


def _behind(session: Session, run: Run, other: Run | None, asked: FigureQuery) -> Behind:
    own = shares_of(session, run, [asked.measure or kinds_column(asked.rank), *asked.slices])
    chosen = own.rows(asked.task, asked.slices)
    if not asked.measure:
        rows = np.flatnonzero(chosen & (own.kinds_at(asked.rank) == 1 + list(TYPES).index(asked.kind)))
        ones = np.ones(len(rows))
        return Behind(own.prompts[rows], ones, ones)
    known = chosen & ~np.isnan(own.values[asked.measure])
    if other is None:
        values = own.values[asked.measure][known]
        return Behind(own.prompts[known], values, values)
    its = shares_of(session, other, [asked.measure])
    its_known = its.rows(asked.task) & ~np.isnan(its.values[asked.measure])
    rows, others = paired(session, run, other, own.prompts, its.prompts)
    both = known[rows] & its_known[others]
    rows, others = rows[both], others[both]
    ours, theirs = own.values[asked.measure][rows], its.values[asked.measure][others]
    return Behind(own.prompts[rows], ours - theirs, ours, theirs)


def leading(values: Floats, first: int, count: int, *, lowest: bool = False) -> Longs:
    """Rows of the values from place `first` on in order, the highest first; equal ones as they stand.

    No more is sorted than has to be: those up to the last one's value.
    """
    keys, last = (values if lowest else -values), first + count
    if last >= len(keys):
        return np.argsort(keys, kind="stable")[first:last]
    near = np.flatnonzero(keys <= np.partition(keys, last - 1)[last - 1])
    return near[np.argsort(keys[near], kind="stable")][first:last]


def _items(session: Session, run: Run, other: Run | None, behind: Behind) -> list[PromptShare]:
    wanted = select(Prompt.id, Prompt.text, Prompt.target, Prompt.slug)
    ids = behind.prompts.tolist()
    known = {row.id: row for row in session.execute(wanted.where(Prompt.id.in_(ids)))}
    theirs = [None] * len(ids) if behind.theirs is None else behind.theirs.tolist()
    numbers = zip(ids, behind.values.tolist(), behind.ours.tolist(), theirs, strict=True)
    return [
        PromptShare(
            prompt=known[id_].text,
            target=known[id_].target,
            url=urls.compare(known[id_].slug, [run.slug, other.slug])
            if other
            else urls.example(run.slug, known[id_].slug),
            value=value,
            ours=ours,
            theirs=its,
        )
        for id_, value, ours, its in numbers
        if id_ in known
    ]


def _of(asked: FigureQuery, counted: bool) -> str:
    """Which prompts, in words."""
    parts = [
        f"{EVALUATED[by].before} {value_name(EVALUATED[by], value, counts=counted)}"
        for by, value in asked.slices.items()
    ]
    return ", ".join([task_name(asked.task).lower(), *parts])
