"""`/evaluation/prompts`: the prompts behind one number of the evaluation, each with its share in it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import UserError
from app.evaluation.judged import Judged, judged_prompts, only
from app.evaluation.measures import Measure, measures
from app.evaluation.metrics import THRESHOLD, estimate
from app.store.prompts import buckets_are_counts
from app.store.runs import get_run
from app.store.tables import Run
from app.web.judging.evaluation_lines import patched_by
from app.web.judging.figures import Cell
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.params import HELD, MOST_AT_ONCE, Short
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.tables import table, table_route
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
    items = _items(session, run, other, asked)
    values = [item.value for item in items]
    found = estimate(values) if asked.measure else None
    items.sort(key=lambda item: item.value, reverse=not asked.low)
    first = (asked.page - 1) * asked.limit
    name = LABELS.get(asked.measure) or f"{TYPES[asked.kind]}, at rank {asked.rank}"
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
        prompts=len(items),
        items=items[first : first + asked.limit],
        first=first,
        order_url=asked.url(low=not asked.low, page=1),
        previous_url=asked.url(page=asked.page - 1) if asked.page > 1 else None,
        next_url=asked.url(page=asked.page + 1) if first + asked.limit < len(items) else None,
        csv_url=urls.twin(asked.url(page=1), "csv"),
    )
    return respond(request, page, "evaluation_prompts.html")


@table_route(router, "/evaluation/prompts", "export_evaluated_prompts")
def prompts_file(request: Request, session: Db, read: Read) -> Response:
    """All prompts of a figure, with what each adds."""
    run, other, asked = read
    items = _items(session, run, other, asked)
    columns = ["prompt", "target", "value", *(["ours", "theirs"] if other else []), "url"]
    name = f"{run.slug}-{asked.measure or asked.kind}"
    return table(request, name, columns, [item.model_dump() for item in items])


def _items(session: Session, run: Run, other: Run | None, asked: FigureQuery) -> list[PromptShare]:
    prompts = only(judged_prompts(session, run, asked.task), asked.slices)
    if not asked.measure:
        return [
            _item(run, each, 1.0)
            for each in prompts
            if each.kinds[asked.rank - 1 : asked.rank] == [asked.kind]
        ]
    ours = _known(prompts, measures(run.metrics.get("ais_threshold", THRESHOLD))[asked.measure])
    by_id = {prompt.external_id: prompt for prompt in prompts}
    if other is None:
        return [_item(run, by_id[id_], value) for id_, value in ours.items()]
    measure = measures(other.metrics.get("ais_threshold", THRESHOLD))[asked.measure]
    theirs = _known(judged_prompts(session, other, asked.task), measure)
    return [_item(run, by_id[id_], ours[id_], theirs[id_], other) for id_ in ours if id_ in theirs]


def _known(prompts: Sequence[Judged], measure: Measure) -> dict[str, float]:
    return {each.external_id: value for each in prompts if (value := measure(each)) is not None}


def _item(
    run: Run, prompt: Judged, ours: float, theirs: float | None = None, other: Run | None = None
) -> PromptShare:
    return PromptShare(
        prompt=prompt.text,
        target=prompt.target,
        url=urls.compare(prompt.slug, [run.slug, other.slug])
        if other
        else urls.example(run.slug, prompt.slug),
        value=ours if theirs is None else ours - theirs,
        ours=ours,
        theirs=theirs,
    )


def _of(asked: FigureQuery, counted: bool) -> str:
    """Which prompts, in words."""
    parts = [
        f"{EVALUATED[by].before} {value_name(EVALUATED[by], value, counts=counted)}"
        for by, value in asked.slices.items()
    ]
    return ", ".join([task_name(asked.task).lower(), *parts])
