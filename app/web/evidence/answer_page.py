"""What every page about one answer shows, whichever way led to it: an example of a run, or a trace that somebody asked for."""

from collections.abc import Sequence

from pydantic import BaseModel

from app.store.examples import Example
from app.web.evidence.cards import Card
from app.web.evidence.chance import Standing
from app.web.evidence.claim import Claim
from app.web.evidence.lanes import Evidence
from app.web.evidence.parts import AnswerParts
from app.web.site.links import PageUrl
from app.web.site.moments import Moment
from app.web.site.shareable import Shareable
from app.words.chance import Chance
from app.words.saying import counted


class Link(BaseModel):
    """One of several things to switch between; `note` says what it shares with this one."""

    label: str
    url: PageUrl
    chosen: bool = False
    note: str = ""


class Sample(BaseModel):
    """A sampled answer and how often it came."""

    text: str
    count: int


class AnswerPage(Shareable, BaseModel):
    """The claim, the evidence, and the passages for and against.

    Args:
        claim, evidence: None while the answer is not there yet.
        methods: the same answer as other methods explain it.
        views: what can be marked in the passages.
        parts: which part of the answer each passage speaks for; None while nobody has split it, and where it has one part.
        span_url: where to ask about some words of the answer, or why it rather than something else; None where nobody can.
        filling: whether more of what was measured will be there soon.
        found_by, made: the method whose passages these are, and when they were found.
        cite_url, csv_url, trace_url, compare_url, without_url: what else can be done with it: cite it, have it as a table,
            ask again, see it beside other methods, train without its passages; empty where that cannot be done.
    """

    claim: Claim | None = None
    evidence: Evidence | None = None
    standing: Standing | None = None
    proponents: list[Card] = []
    opponents: list[Card] = []
    chance_floor: float | None = None  # a score; None where the method's scores do not tell it
    above_chance: int | None = None
    opponent_chance_floor: float | None = None
    opponents_beyond_chance: int | None = None
    samples: list[Sample] = []
    methods: list[Link] = []
    views: list[Link] = []
    view: str = ""
    span_url: str | None = None
    filling: bool = False
    parts: AnswerParts | None = None
    found_by: str = ""
    made: Moment | None = None
    cite_url: PageUrl = ""
    csv_url: str = ""
    trace_url: PageUrl = ""
    compare_url: PageUrl | None = None
    without_url: PageUrl = ""


def chance_fields(chance: Chance | None) -> dict[str, float | int | None]:
    """The page's figures of a ranking's chance."""
    return {
        "chance_floor": chance.floor if chance else None,
        "above_chance": chance.above if chance else None,
        "opponent_chance_floor": chance.opponent_floor if chance else None,
        "opponents_beyond_chance": chance.opponents_beyond if chance else None,
    }


def samples_of(texts: Sequence[str]) -> list[Sample]:
    """Samples with how often each came, most frequent first."""
    return [Sample(text=text, count=count) for text, count in counted(list(texts))]


def samples_of_example(example: Example) -> list[Sample]:
    """What was sampled for an example's prompt."""
    return samples_of(example.output.samples if example.output else [])
