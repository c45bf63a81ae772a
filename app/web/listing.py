"""The list of prompts that the filters in a URL make: facets, an English sentence, pages. Shared by two pages."""

from typing import Annotated, Any, cast

from fastapi import Depends, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.errors import UserError
from app.store import browse
from app.store.browse import Filters
from app.store.tables import Run
from app.web import urls, words
from app.web.filter_words import PRESETS, in_english
from app.web.filters import parse

LABELS = {
    "task": "Task",
    "relation": "Relation",
    "frequency": "Stated in the corpus",
    "right": "Model's answer",
    "confidence": "Confidence",
    "stated": "Retrieved passages",
    "ais": "Best AIS score",
}
VALUES = {
    "right": {"yes": "right", "no": "wrong"},
    "confidence": {"high": "at least 0.5", "low": "below 0.5"},
    "stated": {"yes": "one states the fact", "no": "none states the fact"},
    "ais": {"high": "at least 0.5", "low": "below 0.5"},
}
SENTENCES = {
    "right": {"yes": "that the model answers right", "no": "that the model answers wrong"},
    "confidence": {"high": "answered with confidence 0.5 or more", "low": "answered with confidence below 0.5"},
    "stated": {"yes": "with a retrieved passage that states the fact", "no": "where no retrieved passage states it"},
    "ais": {"high": "with a best AIS score of 0.5 or more", "low": "with a best AIS score below 0.5"},
}
SORT_NAMES = {
    "": "the run's order",
    "frequency": "most often stated first",
    "rare": "least often stated first",
    "score": "highest score first",
    "probability": "most probable first",
    "tail-patch": "largest tail-patch first",
}


class Choice(BaseModel):
    """One value of a facet: choosing it, or dropping it if it is chosen."""

    value: str
    label: str
    count: int
    chosen: bool
    url: str


class Facet(BaseModel):
    """One facet with its values."""

    name: str
    label: str
    choices: list[Choice]


class Item(BaseModel):
    """One prompt of the list."""

    number: int | None = None
    slug: str
    url: str
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
    best_ais: float | None
    tail_patch: float | None
    position: int


class Dropped(BaseModel):
    """A filter that leaves nothing, and what there would be without it."""

    label: str
    count: int
    url: str


class Preset(BaseModel):
    """A ready-made filter."""

    name: str
    url: str
    chosen: bool


class Listing(BaseModel):
    """One page of the list and every way on from it."""

    run: str
    total: int
    sentence: str
    facets: list[Facet]
    presets: list[Preset]
    items: list[Item]
    sort: str
    sorts: dict[str, str]
    q: str
    where: str
    query: dict[str, str]
    first_url: str | None
    back_url: str | None
    next_url: str | None
    last_url: str | None
    random_url: str
    clear_url: str | None
    dropped: list[Dropped] = []


class Asked(BaseModel):
    """The list's part of a URL's query, as typed."""

    task: str = ""
    relation: str = ""
    frequency: str = ""
    right: str = ""
    confidence: str = ""
    stated: str = ""
    ais: str = ""
    q: str = Query("", max_length=500)
    where: str = Query("", max_length=2000)
    sort: str = ""

    def query(self) -> dict[str, str]:
        """The parameters that say something."""
        return {name: value for name, value in self.model_dump().items() if value}

    def filters(self) -> Filters:
        """The filters; an expression that cannot be read is a `UserError` at `where`."""
        for name, allowed in VALUES.items():
            if (value := getattr(self, name)) and value not in allowed:
                raise UserError(
                    f"“{value}” is no value of {name}.", field=name, remedy=f"Use {' or '.join(allowed)}."
                )
        rest = self.model_dump(exclude={"where", "sort"})
        return Filters(**rest, where=parse(self.where) if self.where.strip() else None)


AskedQuery = Annotated[Asked, Depends(Asked)]


def make_listing(
    session: Session, request: Request, run: Run, asked: Asked, *, after: int | None, before: int | None
) -> Listing:
    """The list for the URL of this request."""
    filters = asked.filters()
    path = request.url.path
    base: dict[str, object] = {"run": request.query_params.get("run", ""), **asked.query()}
    total = browse.count(session, run, filters)
    last = before is not None and before < 0
    edge = {"before": 1 << 62} if last else {"after": after, "before": before}
    rows = browse.page(session, run, filters, sort=asked.sort, **cast(dict[str, Any], edge))
    more_before, more_after = _more(session, run, filters, asked.sort, rows)
    start, end = (rows[0].result.position, rows[-1].result.position) if rows else (0, 0)
    return Listing(
        run=run.slug,
        total=total,
        sentence=sentence(asked, total, run),
        facets=_facets(session, run, filters, path, base),
        presets=[
            Preset(
                name=p.name,
                chosen=p.where == asked.where,
                url=urls.with_query(path, base | {"where": "" if p.where == asked.where else p.where}),
            )
            for p in PRESETS
        ],
        items=[item(row, run, asked) for row in rows],
        sort=asked.sort,
        sorts={name: label for name, label in SORT_NAMES.items()},
        q=asked.q,
        where=asked.where,
        query={name: str(value) for name, value in base.items() if value},
        first_url=urls.with_query(path, base) if more_before else None,
        back_url=urls.with_query(path, base | {"before": start}) if more_before else None,
        next_url=urls.with_query(path, base | {"after": end}) if more_after else None,
        last_url=urls.with_query(path, base | {"before": -1}) if more_after else None,
        random_url=urls.with_query("/random", base | {"run": run.slug}),
        clear_url=urls.with_query(path, {"run": base["run"]}) if asked.query().keys() - {"sort"} else None,
        dropped=[] if total else _dropped(session, run, filters, asked, path, base),
    )


def item(row: browse.Row, run: Run, asked: Asked) -> Item:
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
        best_ais=row.result.best_ais,
        tail_patch=row.result.tail_patch,
        position=row.result.position,
    )


def sentence(asked: Asked, total: int, run: Run) -> str:
    """What the list shows, in English."""
    noun = {"fact": "fact", "arithmetic": "arithmetic prompt", "commonsense": "commonsense prompt"}
    noun["open_ended"] = "open-ended prompt"
    parts = [words.plural(total, noun.get(asked.task, "prompt"))]
    if asked.relation:
        parts.append(f"about {words.relation_name(asked.relation)}")
    if asked.frequency:
        parts.append(f"stated {bucket_name(asked.frequency)}")
    parts += [
        SENTENCES[name][value] for name in SENTENCES if (value := getattr(asked, name)) in SENTENCES[name]
    ]
    if asked.q.strip():
        parts.append(f"containing “{asked.q.strip()}”")
    if asked.where.strip() and (node := parse(asked.where)) is not None:
        parts.append(f"({in_english(node)})")
    order = f", {SORT_NAMES[asked.sort]}" if asked.sort in SORT_NAMES and asked.sort else ""
    return f"{' '.join(parts)} in {run.name}{order}."


def bucket_name(bucket: str) -> str:
    """The range of counts behind a frequency bucket (see `app.store.prompts.bucket_of`)."""
    number = int(bucket) if bucket.lstrip("-").isdigit() else 0
    if number <= 0:
        return "never"
    low, high = 1 << (number - 1), (1 << number) - 1
    return words.times(low) if low == high else f"{low:,} to {high:,} times"


def label(name: str, value: str) -> str:
    """A facet's value in words."""
    if name == "task":
        return words.task_name(value)
    if name == "relation":
        return words.relation_name(value)
    if name == "frequency":
        return bucket_name(value)
    return VALUES[name].get(value, value)


def _facets(
    session: Session, run: Run, filters: Filters, path: str, base: dict[str, object]
) -> list[Facet]:
    found = []
    for name in browse.FACETS:
        counts = browse.facet(session, run, filters, name)
        chosen = getattr(filters, name)
        if name == "frequency":
            counts.sort(key=lambda each: int(each.value))
        if len(counts) < 2 and not chosen:
            continue  # a facet that parts nothing says nothing
        choices = [
            Choice(
                value=each.value,
                label=label(name, each.value),
                count=each.count,
                chosen=each.value == chosen,
                url=urls.with_query(path, base | {name: "" if each.value == chosen else each.value}),
            )
            for each in counts
        ]
        found.append(Facet(name=name, label=LABELS[name], choices=choices))
    return found


def _more(
    session: Session, run: Run, filters: Filters, sort: str, rows: list[browse.Row]
) -> tuple[bool, bool]:
    if not rows:
        return False, False
    before, _ = browse.neighbours(session, run, filters, sort, rows[0].result.position)
    _, after = browse.neighbours(session, run, filters, sort, rows[-1].result.position)
    return before is not None, after is not None


def _dropped(
    session: Session, run: Run, filters: Filters, asked: Asked, path: str, base: dict[str, object]
) -> list[Dropped]:
    names = [name for name in asked.query() if name != "sort"]
    return [
        Dropped(
            label={"q": "the search", "where": "the expression"}.get(name, LABELS.get(name, name).lower()),
            count=left,
            url=urls.with_query(path, base | {name: ""}),
        )
        for name, left in browse.drop_one(session, run, filters, names)
    ]
