"""The list of prompts that the filters in a URL make: facets, an English sentence, pages. Shared by two pages."""

from collections.abc import Callable, Sequence

from fastapi import Request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.errors import UserError
from app.store import browse
from app.store.browse import Filters
from app.store.prompts import buckets_are_counts
from app.store.slicing import ENTAILED
from app.store.tables import Prompt, Result, Run
from app.store.tally import Tally
from app.web.browsing.filter_words import PRESETS
from app.web.browsing.list_query import ListQuery
from app.web.browsing.listing_words import SORTS, part_name, sentence
from app.web.site import urls
from app.web.site.links import PageUrl, page_of
from app.web.site.respond import wants_json
from app.words.slices import FREQUENCY, SLICES, value_name


class FacetValue(BaseModel):
    """One value of a facet: choosing it, or dropping it if it is chosen."""

    value: str
    label: str
    count: int
    chosen: bool
    url: PageUrl


class Facet(BaseModel):
    """One facet with its values."""

    name: str
    label: str
    choices: list[FacetValue]


class Item(BaseModel):
    """One prompt of the list."""

    slug: str
    url: PageUrl
    task: str
    text: str
    target: str
    relation: str | None
    frequency: int | None
    answer: str | None
    correct: bool | None
    probability: float | None
    top_score: float | None
    first_correct_rank: int | None
    none_states: bool
    best_ais: float | None
    tail_patch: float | None
    position: int


class Dropped(BaseModel):
    """A filter that leaves nothing, and what there would be without it."""

    label: str
    count: int
    url: PageUrl


class PresetLink(BaseModel):
    """A ready-made filter."""

    name: str
    where: str
    url: PageUrl
    chosen: bool


class ListingSummary(BaseModel):
    """The list in numbers: see `app.store.tally.Summary`."""

    prompts: int
    judged: int
    known: int
    by_ais: int
    measured: int
    right: float | None
    mrr: float | None
    recall_at_10: float | None
    precision_at_10: float | None
    ais_mrr: float | None
    ais_recall_at_10: float | None
    ais_precision_at_10: float | None
    tail_patch: float | None


class WhereError(BaseModel):
    """Why the expression cannot be read, and what to write instead."""

    message: str
    remedy: str


class Listing(BaseModel):
    """One page of the list and every way on from it.

    `more`: a search or an expression stopped there, and everything here is about the first prompts that it found.
    `runs`: how many prompts each run has under these filters.
    """

    run: str
    total: int
    more: bool
    sentence: str
    summary: ListingSummary | None
    facets: list[Facet]
    presets: list[PresetLink]
    runs: dict[str, int]
    items: list[Item]
    sort: str
    sorts: dict[str, str]
    q: str
    where: str
    error: WhereError | None
    query: dict[str, str]
    first_url: PageUrl | None
    back_url: PageUrl | None
    next_url: PageUrl | None
    last_url: PageUrl | None
    random_url: str
    go_url: str
    clear_url: PageUrl | None
    dropped: list[Dropped] = []


def make_listing(
    session: Session,
    request: Request,
    run: Run,
    asked: ListQuery,
    *,
    after: int | None,
    before: int | None,
    limit: int | None,
    runs: Sequence[Run] = (),
) -> Listing:
    """The list for the URL of this request; `runs` are the others whose counts the reader wants beside it.

    An expression that cannot be read gives an empty list with an `error`.
    """
    path, query = page_of(request), asked.query()
    base: dict[str, object] = {"run": request.query_params.get("run", ""), **query, "limit": limit}
    error = None
    try:
        filters = asked.filters()
    except UserError as refused:
        if refused.field != "where" or wants_json(request):
            raise
        error = WhereError(message=refused.message, remedy=refused.remedy)
        filters = asked.model_copy(update={"where": ""}).filters()
    chosen = filters.chosen()
    counted = browse.tallied(session, [run, *runs], filters)
    tally, found = counted[run.id]
    listed = browse.listed(session, run, filters, asked.sort, found=found)
    total = 0 if error else len(listed)
    window = (
        browse.ListWindow([], before=False, after=False)
        if error
        else browse.window(session, listed, after=after, before=before, limit=limit or browse.PAGE_SIZE)
    )
    start, end = (window.rows[0].result.position, window.rows[-1].result.position) if window.rows else (0, 0)

    def at(**changes: object) -> str:
        return urls.with_query(path, base | changes)

    return Listing(
        run=run.slug,
        total=total,
        more=listed.more,
        sentence=sentence(
            total, run.name, query, filters.where, counts=buckets_are_counts(run.prompt_set), more=listed.more
        ),
        summary=ListingSummary(**vars(tally.summary(chosen))) if total else None,
        facets=_facets(tally, filters, at, buckets_are_counts(run.prompt_set)),
        presets=[
            PresetLink(
                name=p.name,
                where=p.where,
                chosen=p.where == asked.where,
                url=at(where="" if p.where == asked.where else p.where),
            )
            for p in PRESETS
        ],
        runs={each.slug: counted[each.id][0].count(chosen) for each in [run, *runs]},
        items=[item(row, run, asked) for row in window.rows],
        sort=asked.sort,
        sorts=SORTS,
        q=asked.q,
        where=asked.where,
        error=error,
        query={name: str(value) for name, value in base.items() if value},
        first_url=at() if window.before else None,
        back_url=at(before=start) if window.before else None,
        next_url=at(after=end) if window.after else None,
        last_url=at(before=-1) if window.after else None,
        random_url=urls.random_prompt(run.slug, **query),
        go_url=urls.go_to(),
        clear_url=urls.with_query(path, {"run": base["run"], "limit": limit})
        if query.keys() - {"sort"}
        else None,
        dropped=[] if total or error else _dropped(session, run, filters, query, at),
    )


def item(row: browse.ListedResult, run: Run, asked: ListQuery) -> Item:
    """A row as the list shows it; its link keeps the list's state, so that next and previous follow it."""
    output = row.output
    return Item(
        slug=row.prompt.slug,
        url=urls.example(run.slug, row.prompt.slug, **asked.query()),
        task=row.prompt.task,
        text=row.prompt.text,
        target=row.prompt.target,
        relation=row.prompt.relation,
        frequency=row.prompt.frequency,
        answer=output.answer if output else None,
        correct=output.correct if output else None,
        probability=output.probability if output else None,
        top_score=row.result.top_score,
        first_correct_rank=row.result.first_correct_rank,
        none_states=none_states(row.prompt, row.result, judged=row.judged),
        best_ais=row.result.best_ais,
        tail_patch=row.result.tail_patch,
        position=row.result.position,
    )


def none_states(prompt: Prompt, result: Result, *, judged: bool) -> bool:
    """Whether of a fact no retrieved passage states it, neither as its corpus knows nor as AIS judges.

    Where nobody judged the passages, nothing is said: a warning would be a guess.
    """
    stated = result.first_correct_rank is not None or (result.best_ais or 0.0) > ENTAILED
    return prompt.task == "fact" and judged and not stated


def _facets(tally: Tally, filters: Filters, at: Callable[..., str], counted: bool) -> list[Facet]:
    counts = tally.facets(filters.chosen())
    found = []
    for name, facet in SLICES.items():
        chosen = getattr(filters, name)
        if facet == FREQUENCY:
            counts[name].sort(key=lambda each: int(each.value))
        if len(counts[name]) < 2 and not chosen:
            continue  # a facet that parts nothing says nothing
        choices = [
            FacetValue(
                value=each.value,
                label=value_name(facet, each.value, counts=counted),
                count=each.count,
                chosen=each.value == chosen,
                url=at(**{name: "" if each.value == chosen else each.value}),
            )
            for each in counts[name]
        ]
        found.append(Facet(name=name, label=facet.label, choices=choices))
    return found


def _dropped(
    session: Session, run: Run, filters: Filters, query: dict[str, str], at: Callable[..., str]
) -> list[Dropped]:
    names = [name for name in query if name != "sort"]
    counted = buckets_are_counts(run.prompt_set)
    return [
        Dropped(label=part_name(name, query[name], counts=counted), count=left, url=at(**{name: ""}))
        for name, left in browse.drop_one(session, run, filters, names)
    ]
