"""What the page of a trace shows of it: how far the answer is, the views it has, the training that was asked for."""

from statistics import fmean, stdev
from typing import Any, Literal

from pydantic import BaseModel

from app.store.work_tables import Job, Trace
from app.tracing.trace_results import TraceResult, TrainingResult
from app.web.marking.overlap import rank_biased_overlap, shared
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.methods import method_label

STAGES = {
    "queued": "Waiting",
    "completing": "Completing the prompt",
    "encoding": "Encoding its gradient",
    "searching": "Searching the corpus",
    "done": "Ranked",
}


class Stage(BaseModel):
    """One step on the way to the answer."""

    name: str
    label: str
    state: Literal["past", "now", "to come"]


class View(BaseModel):
    """A way of looking at the answer; `shared` of `of` passages are those of the method that decides, too."""

    name: str
    title: str
    url: PageUrl
    current: bool
    shared: int | None = None
    of: int = 0
    overlap: float | None = None


class StepsView(BaseModel):
    """What one training step on each passage did to the target's probability, in percentage points."""

    id: str
    status: str
    error: str | None = None
    probability: float | None = None
    mean: float | None = None
    control: list[float] = []
    control_mean: float | None = None
    control_spread: float | None = None
    settings: dict[str, Any] = {}
    milliseconds: float | None = None


def stages(job: Job) -> list[Stage]:
    """All stages of a question with a word for where it is; a given completion is not completed."""
    names = [n for n in STAGES if n != "completing" or job.request.get("completion") is None]
    at = names.index(job.stage) if job.stage in names else 0
    return [
        Stage(name=n, label=STAGES[n], state="past" if i < at else "now" if i == at else "to come")
        for i, n in enumerate(names)
    ]


def training(job: Job) -> StepsView:
    """One check by training, finished or not."""
    shown = StepsView(id=job.id, status=job.state, error=(job.error or {}).get("message"))
    if job.result is None:
        return shown
    result = TrainingResult.model_validate(job.result)
    control = [step.change for step in result.control]
    return shown.model_copy(
        update={
            "probability": result.probability,
            "mean": fmean(step.change for step in result.steps),
            "control": control,
            "control_mean": fmean(control) if control else None,
            "control_spread": stdev(control) if len(control) > 1 else None,
            "settings": result.settings,
            "milliseconds": result.timings.get("total"),
        }
    )


def views_of(result: TraceResult) -> list[str]:
    """The names of the views this answer has, the default first."""
    return [*result.rankings, "verbatim", *(["sides"] if result.sides else []), "all"]


def views(trace: Trace, result: TraceResult, view: str, since: str) -> list[View]:
    """The ways of looking at an answer; `shared` says what other methods found of the passages shown first."""
    own = [hit.passage_id for hit in result.own.proponents]
    titles = {"verbatim": "Word for word", "sides": "Side by side", "all": "All methods"}
    made = []
    for number, name in enumerate(views_of(result)):
        url = urls.trace(trace.id, view=name if number else None, since=since)
        one = View(name=name, title=titles.get(name) or method_label(name), url=url, current=name == view)
        if name in result.rankings and name != result.method:
            other = [hit.passage_id for hit in result.rankings[name].proponents]
            one.shared, one.of = shared(own, other), max(len(own), len(other))
            one.overlap = rank_biased_overlap(own, other)
        made.append(one)
    return made
