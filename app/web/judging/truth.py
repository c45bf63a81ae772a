"""`/truth`: which method foretold what models trained without parts of the corpus say. From an outcome's file."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import NotFound
from app.evaluation.metrics import Estimate
from app.truth.kept import PLACE, KeptOutcome, kept_outcome, outcome_names
from app.truth.outcome import SUFFIX, Outcome, TruthFigures, figures
from app.web.judging.figures import Figure
from app.web.judging.truth_figures import by_relation, foretold, groups_left_out
from app.web.judging.without import WithoutLink, recent
from app.web.judging.worth import Worth, worth_of
from app.web.site import urls
from app.web.site.context import Config, Db
from app.web.site.links import PageUrl
from app.web.site.params import OutcomeName
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.tables import table, table_route
from app.words.methods import BM25, RANDOM, method_label

router = APIRouter()
LISTED = 12  # trainings without passages


class MethodTruth(BaseModel):
    """A method's LDS and QLD with their 95 % intervals; QLD is null until models were trained without its passages."""

    method: str
    lds: float
    lds_low: float
    lds_high: float
    qld: float | None
    qld_low: float | None
    qld_high: float | None


class Foretold(BaseModel):
    """How well a method's sums foretell what was measured, over all pairs of a random group that went and a prompt; and the
    LDS of its own first passages alone, null where that is the method itself."""

    method: str
    spearman: float
    low: float
    high: float
    first: float | None = None
    first_low: float | None = None
    first_high: float | None = None


class OtherOutcome(BaseModel):
    """An outcome that can be shown."""

    name: str
    url: PageUrl
    chosen: bool


class TruthPage(BaseModel):
    """The page; `methods` is empty while too few models are trained."""

    title: str = "Truth by leaving out"
    name: str
    outcomes: list[OtherOutcome]
    trainings: int
    qld_trainings: int
    prompts: int
    about: dict[str, Any]
    learned: str
    methods: list[MethodTruth]
    apart: str
    stable: str
    without: str
    foretold: list[Foretold]
    figures: list[Figure]
    export_url: str
    worth: Worth | None
    trained_without: list[WithoutLink]


@page_route(router, "/truth", TruthPage, "get_truth")
def truth_page(request: Request, session: Db, settings: Config, of: OutcomeName = "") -> Response:
    """Each method's LDS and QLD (`of`: the outcome), who can be told apart, and predicted against measured."""
    return respond(request, _page(session, settings.home, of), "truth.html")


@table_route(router, "/truth", "export_truth")
def truth_file(request: Request, settings: Config, of: OutcomeName = "") -> Response:
    """What every training measured and every method had predicted of it: the figures can be worked out again."""
    kept = _outcome(settings.home, of)
    outcome = kept.outcome if kept else None
    columns = ["training", "prompt", "relation", "measured", *(outcome.predicted if outcome else ())]
    return table(request, "truth", columns, rows_of(outcome) if outcome else [])


def rows_of(outcome: Outcome) -> list[dict[str, Any]]:
    """A row for each training and prompt: the margin, and each method's sum of influences of what stayed in."""
    return [
        {
            "training": training["name"],
            "prompt": prompt["id"],
            "relation": prompt["relation"],
            "measured": float(outcome.measured[at, place]),
        }
        | {method: float(sums[at, place]) for method, sums in outcome.predicted.items()}
        for at, training in enumerate(outcome.trainings)
        for place, prompt in enumerate(outcome.prompts)
    ]


def _outcome(home: Path, of: str) -> KeptOutcome | None:
    names = outcome_names(home)
    if of and of not in names:
        raise NotFound(
            f"There is no outcome “{of}”.", field="of", remedy=f"There are: {', '.join(names) or 'none'}."
        )
    return kept_outcome(home, of or names[0]) if names else None


def _page(session: Session, home: Path, of: str) -> TruthPage:
    kept = _outcome(home, of)
    if kept is None:
        return TruthPage(
            name="",
            outcomes=[],
            trainings=0,
            qld_trainings=0,
            prompts=0,
            about={},
            learned="",
            methods=[],
            apart="",
            stable="",
            without="",
            foretold=[],
            figures=[],
            export_url="",
            worth=None,
            trained_without=[],
        )
    names, outcome, file = outcome_names(home), kept.outcome, home / PLACE / f"{kept.name}{SUFFIX}"
    found = _figures(file, file.stat().st_mtime_ns, kept)
    page = urls.truth(of=of)
    return TruthPage(
        name=kept.name,
        outcomes=[
            OtherOutcome(name=each, url=urls.truth(of=each), chosen=each == kept.name) for each in names
        ],
        trainings=len(outcome.trainings),
        qld_trainings=len(outcome.without),
        prompts=len(outcome.prompts),
        about=dict(outcome.about),
        learned=learned(outcome),
        methods=[_row(each.method, each.lds, each.qld) for each in found.methods] if found else [],
        apart=told_apart(found) if found else "",
        stable=stability(found) if found else "",
        without=further(found) if found else "",
        foretold=_foretold(found) if found else [],
        figures=[
            *([groups_left_out(kept.calibration, page)] if kept.calibration else []),
            *([foretold(outcome, found, page), by_relation(outcome, found, page)] if found else []),
        ],
        export_url=urls.twin(page, "csv"),
        worth=worth_of(kept.calibration),
        trained_without=recent(session, LISTED),
    )


def learned(outcome: Outcome) -> str:
    """What the small models know: without knowledge there is nothing to leave out."""
    right, count = int((outcome.everything > 0).sum()), len(outcome.everything)
    sentence = (
        f"Trained on everything, the model finds the right answer likelier than all others together for"
        f" {right} of {count} prompts; its margin is {_signed(outcome.everything.mean())} on average"
    )
    if len(outcome.measured):
        sentence += f", and {_signed(outcome.measured.mean())} after training on a random half"
    return sentence + "."


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def told_apart(found: TruthFigures) -> str:
    """Which methods differ, and which cannot be told apart."""
    if not found.apart:
        return "No two methods can be told apart: each difference has zero in its interval."
    first = found.methods[0].method
    alone = all(first not in pair for pair in found.level)
    said = f"Of {len(found.apart) + len(found.level)} pairs {len(found.apart)} can be told apart"
    said += f"; {method_label(first)} is above all others." if alone else "."
    level = "; ".join(f"{method_label(one)} and {method_label(other)}" for one, other in found.level)
    return f"{said} Not told apart: {level}." if level else said


def stability(found: TruthFigures) -> str:
    """One sentence on whether two halves of the trainings give one order."""
    one, other = (", ".join(map(method_label, half)) for half in found.halves)
    if found.stable and found.apart:
        return f"All that can be told apart is in the same order in either half of the trainings ({one})."
    return f"The two halves of the trainings disagree on the order: {one}; and {other}."


def further(found: TruthFigures) -> str:
    """One sentence on whose first percent is missed more than random passages, and than BM25's."""
    said = []
    for less in (RANDOM, BM25):
        more = [method for method, other in found.further if other == less]
        if more:
            names = ", ".join(
                f"{method_label(each)}’s ({found.further[each, less].mean:.2f} more)" for each in more
            )
            said.append(f"than without {_WHOSE[less]}: without {names}")
    if not said:
        known = any(each.qld for each in found.methods)
        return "No method’s first 1 % is missed more than random passages are." if known else ""
    return f"Margins fall further {'; and further '.join(said)}; 95 % intervals, pair by pair, without zero."


_WHOSE = {RANDOM: "as many random passages", BM25: f"{method_label(BM25)}’s"}


def _foretold(found: TruthFigures) -> list[Foretold]:
    rows = []
    for method, each in found.foretold.items():
        row = Foretold(method=method, spearman=each.mean, low=each.low, high=each.high)
        if first := found.by_first.get(method):
            row.first, row.first_low, row.first_high = first.mean, first.low, first.high
        rows.append(row)
    return rows


def _row(method: str, lds: Estimate, qld: Estimate | None) -> MethodTruth:
    return MethodTruth(
        method=method,
        lds=lds.mean,
        lds_low=lds.low,
        lds_high=lds.high,
        qld=qld.mean if qld else None,
        qld_low=qld.low if qld else None,
        qld_high=qld.high if qld else None,
    )


@lru_cache(maxsize=4)
def _figures(file: Path, changed: int, outcome: KeptOutcome) -> TruthFigures | None:
    """The figures, worked out once for each state of the file."""
    return figures(outcome.outcome)
