"""What can be ticked, and what ticks mean: passages one by one, or all that state a fact, repeat one, or are of one source."""

from dataclasses import dataclass, field

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.errors import UserError
from app.settings import Settings
from app.store import leaving, traces
from app.store.examples import get_passage
from app.store.full_text import search_passages
from app.store.jobs import find
from app.store.readers import PRIVATE, PUBLIC, UNLISTED
from app.store.runs import get_run
from app.store.tables import Passage, Run
from app.store.work_tables import Trace
from app.tracing.explained import explained
from app.tracing.trace_results import TraceResult, decides
from app.tracing.without import (
    MOST_PASSAGES,
    MOST_PROMPTS,
    AskedOf,
    BareSum,
    PredictedChange,
    foretold,
    left_out,
)
from app.truth.kept import KeptOutcome, outcome_of, passage_rows
from app.web.marking.near import alike
from app.words.joining import follow

FIRST = 20  # passages of one prompt that are offered; of several, as many together
FOUND = 20  # of a search
LARGEST_LOOKED = 100_000  # passages that are looked through for near-duplicates
STATES, NEAR, SOURCE = "states", "near", "source"


@dataclass(frozen=True)
class Wanted:
    """A form's fields, or an address's.

    Args:
        passages: ids that are ticked. all_of: groups, as `GroupChoice.value` writes them.
        run, prompts, trace, q: where the passages to tick come from: a run's results for some prompts (external ids), a
            trace, a search.
    """

    passages: tuple[int, ...] = ()
    all_of: tuple[str, ...] = ()
    run: str = ""
    prompts: tuple[str, ...] = ()
    trace: str = ""
    q: str = ""


class GroupChoice(BaseModel):
    """Passages that can be ticked together; `count` is None until they were looked for."""

    value: str
    label: str
    of: str
    count: int | None
    checked: bool


@dataclass
class Chosen:
    """What a form asks, as far as it can be told.

    Args:
        ids: of all passages that are left out. offered: what is shown to tick.
        asked: prompts, and the stored prompt of each (its id), where there is one.
        visibility: of what is made of it: no more can see it than what it comes from.
    """

    ids: list[int] = field(default_factory=list)
    offered: list[Passage] = field(default_factory=list)
    groups: list[GroupChoice] = field(default_factory=list)
    asked: list[AskedOf] = field(default_factory=list)
    stored: dict[str, int] = field(default_factory=dict)
    run: Run | None = None
    visibility: str = PUBLIC
    kept: KeptOutcome | None = None


def chosen(session: Session, settings: Settings, wanted: Wanted) -> Chosen:
    """What the fields mean.

    Raises:
        UserError: a group cannot be read, or too much is asked.
        NotFound: there is no such run, trace or passage.
    """
    if len(wanted.prompts) > MOST_PROMPTS:
        raise UserError(
            f"These are {len(wanted.prompts)} prompts; {MOST_PROMPTS} are the most that are asked at once.",
            remedy="Untick some.",
            field="prompt",
        )
    found = Chosen(run=get_run(session, wanted.run) if wanted.run else None)
    prompt_set = found.run.prompt_set_id if found.run else None
    stored = leaving.prompts_named(session, wanted.prompts, prompt_set) if wanted.prompts else {}
    found.asked = [AskedOf.stored(name, p.text, follow(p.text, p.target)) for name, p in stored.items()]
    found.stored = {each.id: prompt.id for each, prompt in zip(found.asked, stored.values(), strict=True)}
    groups = {value: _members(session, settings, value) for value in dict.fromkeys(wanted.all_of)}
    found.ids = list(dict.fromkeys([*wanted.passages, *(id_ for ids in groups.values() for id_ in ids)]))
    shown = [*wanted.passages, *_offered(session, wanted, found)]
    by_id = leaving.passages_by_id(session, dict.fromkeys(shown[: MOST_PASSAGES + 1]))
    found.offered = [by_id[id_] for id_ in dict.fromkeys(shown) if id_ in by_id]
    anywhere = found.offered or list(leaving.passages_by_id(session, found.ids[:1]).values())
    found.kept = outcome_of(settings.home, anywhere[0].corpus) if anywhere else None
    if found.run is not None and found.run.visibility != PUBLIC:
        found.visibility = UNLISTED if found.run.visibility == UNLISTED else PRIVATE
    if wanted.trace:
        trace = _answered(session, wanted.trace)
        found.asked.insert(0, _of_trace(trace, found.kept))
        found.visibility = trace.visibility if found.visibility == PUBLIC else found.visibility
    found.asked = found.asked or _most_moved(session, found)
    found.groups = _groups(session, found, wanted, groups)
    return found


def predicted(session: Session, settings: Settings, found: Chosen) -> list[PredictedChange]:
    """What is predicted of each prompt; where the small model's influences are not known, the bare sum of the run's scores.

    Raises:
        UserError: these passages cannot be left out.
    """
    out, kept = left_out(session, settings, found.ids)
    told = foretold(kept, out, found.asked)
    if found.run is None:
        return told
    sums = leaving.scores_of(session, found.run, found.stored.values(), out.ids)
    for at, asked in enumerate(found.asked):
        total = sums.get(found.stored.get(asked.id, -1))
        if told[at].total is None and total is not None:
            bare = BareSum(run=found.run.slug, method=found.run.method, total=total[0], known=total[1])
            told[at] = told[at].model_copy(update={"bare": bare})
    return told


def _offered(session: Session, wanted: Wanted, found: Chosen) -> list[int]:
    offered = [each.id for each in search_passages(session, wanted.q, FOUND)] if wanted.q else []
    if wanted.trace and (trace := traces.get(session, find(session, wanted.trace).id)) is not None:
        rankings = trace.result["rankings"]
        offered += [hit["passage_id"] for hit in rankings[decides(rankings)]["proponents"]]
    if found.run is not None and found.stored:
        first = max(2, FIRST // len(found.stored))
        offered += leaving.found_first(session, found.run, found.stored.values(), first)
    return offered


def _answered(session: Session, id_: str) -> Trace:
    trace = traces.get(session, find(session, id_).id)
    if trace is None:
        raise UserError("This trace has no answer yet.", remedy="Wait until it is answered.", status=409)
    return trace


def _of_trace(trace: Trace, kept: KeptOutcome | None) -> AskedOf:
    query = explained(trace.request, TraceResult.model_validate(trace.result))
    known = kept.outcome.prompts if kept else ()
    alike_ = (
        each["id"]
        for each in known
        if (each["text"], each["target"]) == (query.prompt, query.completion.strip())
    )
    return AskedOf.stored(next(alike_, ""), query.prompt, query.completion)


def _most_moved(session: Session, found: Chosen) -> list[AskedOf]:
    """Where nobody said which: the prompts on which these passages have most influence."""
    if found.kept is None:
        return []
    external = [
        each.external_id
        for each in leaving.passages_by_id(session, found.ids or [p.id for p in found.offered]).values()
    ]
    by_id = {each["id"]: each for each in found.kept.outcome.prompts}
    return [
        AskedOf.stored(name, by_id[name]["text"], follow(by_id[name]["text"], by_id[name]["target"]))
        for name in found.kept.influences.most_moved(external, MOST_PROMPTS // 2)
    ]


def _members(session: Session, settings: Settings, value: str) -> list[int]:
    kind, _, of = value.partition(":")
    number, _, name = of.partition(":")
    if kind == STATES and of:
        return leaving.stating(session, of, MOST_PASSAGES + 1)
    if kind in (NEAR, SOURCE) and number.isascii() and number.isdigit():
        passage = get_passage(session, int(number))
        if kind == SOURCE:
            return leaving.of_source(session, passage, name, MOST_PASSAGES + 1)
        return _near(session, settings, passage)
    raise UserError(
        f"“{value}” names no passages.",
        field="all",
        remedy="Write states:PROMPT, near:PASSAGE or source:PASSAGE:FIELD.",
    )


def _near(session: Session, settings: Settings, passage: Passage) -> list[int]:
    if passage.corpus.passage_count > LARGEST_LOOKED:
        raise UserError(
            f"“{passage.corpus.name}” is too large to be looked through for near-duplicates here.",
            field="all",
            remedy="Tick passages one by one.",
        )
    kept = outcome_of(settings.home, passage.corpus)
    rows = passage_rows(session, passage.corpus, kept.outcome.about.get("only", "") if kept else "")
    return [rows[at].id for at in alike(passage.text, [row.text for row in rows])]


def _groups(
    session: Session, found: Chosen, wanted: Wanted, taken: dict[str, list[int]]
) -> list[GroupChoice]:
    """What can be ticked together: of the prompts asked, and of the first passage that was ticked or named."""
    counts = leaving.count_stating(session, [asked.id for asked in found.asked if asked.id])
    offered = [
        _group(
            f"{STATES}:{asked.id}", "all that state", f"{asked.prompt}{asked.completion}", counts[asked.id]
        )
        for asked in found.asked
        if asked.id in counts
    ]
    for passage in found.offered[:1] if wanted.passages else []:
        offered.append(_group(f"{NEAR}:{passage.id}", "all near-duplicates of", passage.text[:80], None))
        for name in leaving.sources_of(passage):
            members = leaving.of_source(session, passage, name, MOST_PASSAGES + 1)
            if 1 < len(members) <= MOST_PASSAGES:
                said = f"{name} {passage.meta[name]}"
                offered.append(_group(f"{SOURCE}:{passage.id}:{name}", "all of", said, len(members)))
    known = {each.value: each for each in offered}
    for value, ids in taken.items():
        before = known.get(value) or GroupChoice(
            value=value, label="all of", of=value, count=None, checked=True
        )
        known[value] = before.model_copy(update={"count": len(ids), "checked": True})
    return list(known.values())


def _group(value: str, label: str, of: str, count: int | None) -> GroupChoice:
    return GroupChoice(value=value, label=label, of=of, count=count, checked=False)
