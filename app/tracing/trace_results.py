"""What the worker saves and the site shows. Knows no torch.

A result names passages by id and repeats no text: passages do not change, and neither does a result.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from app.curvature.recall import CandidateRecall
from app.words.chance import Chance
from app.words.methods import TRACKSTAR, TWO_STAGES
from app.words.partial import SearchedPart


class CompletionToken(BaseModel):
    """One token of a completion: its characters there, and its probability given all before it (0..1).

    Several tokens may share one character. `id` is the tokenizer's, and `first` whether the model would have chosen it
    here; both None in old traces.
    """

    id: int | None = None
    first: bool | None = None
    text: str
    start: int
    end: int
    probability: float


class Completion(BaseModel):
    """A completion as it follows its prompt; `probability` is that of the target: its tokens' joint probability."""

    text: str
    tokens: list[CompletionToken]
    probability: float

    @property
    def said(self) -> bool:
        """Whether this is what the model goes on with by itself, as far as is known."""
        return all(token.first for token in self.tokens)


class Hit(BaseModel):
    """A passage at a rank, from 1. Scores of different methods do not compare.

    `found` is the score by which a first stage found it, where a second gave `score` and `rank`.
    """

    rank: int
    score: float
    passage_id: int
    found: float | None = None


class Ranking(BaseModel):
    """What one method found, and what of it is more than chance, where its scores tell; of two stages, the first's."""

    proponents: list[Hit]
    opponents: list[Hit] = []
    chance: Chance | None = None


class Match(BaseModel):
    """A stretch of prompt and completion that stands word for word in passages: characters of the two joined."""

    start: int
    end: int
    passages: int  # how many contain it
    passage_ids: list[int]  # the first of them


class Provenance(BaseModel):
    """Everything needed to get this answer again, and how long it took (milliseconds).

    `unsearched`: rows of the index, each stretch from one to before another, that could not be looked at because the machine
    that holds them did not answer. `part`: what of the rows was looked at where the index is searched by lists; None: all.
    """

    model: str
    model_sha256: str
    index: str
    index_sha256: str
    corpus: str
    corpus_id: int
    corpus_sha256: str | None
    passages: int
    unsearched: list[tuple[int, int]] = []
    part: SearchedPart | None = None
    method: dict[str, Any]
    search: str
    code: str
    device: str
    threads: int
    answered_together: int
    timings: dict[str, float]

    @property
    def said_unsearched(self) -> str:
        """What is missing from the answer, for people; empty where nothing is."""
        if not self.unsearched:
            return ""
        count = sum(high - low for low, high in self.unsearched)
        places = ", ".join(f"{low + 1:,} to {high:,}" for low, high in self.unsearched)
        return (
            f"{count:,} of {self.passages:,} passages were not searched (by place in the corpus: {places}), because the"
            " machine that holds them did not answer. What influenced the answer most may be among them."
        )


class TwoStages(BaseModel):
    """How an answer came in two stages: so many candidates of the first, ordered by the second.

    `recall` of the first stage; None where it was not measured for this index.
    """

    found_by: str
    decided_by: str
    candidates: int
    damping: float
    recall: CandidateRecall | None = None


class TraceResult(BaseModel):
    """The answer to a `Question`.

    Args:
        joined: prompt and completion as the model reads them; `verbatim` counts characters of it.
        rankings: by method, the one that decides first. With a contrast, the index's own is of the difference.
        stages: where the index's rows found candidates and something else decided their order.
        target: the characters of the completion that are explained: a span that was asked for, else the answer in what the
            model said, or all of what was given. None in old traces.
        contrast: the second completion; `sides` are then the proponents of the first and of the second alone.
    """

    kind: Literal["trace"] = "trace"
    completion: Completion
    target: tuple[int, int] | None = None
    generated: bool
    samples: list[str] = []
    joined: str
    rankings: dict[str, Ranking]
    verbatim: list[Match] = []
    contrast: Completion | None = None
    sides: list[Ranking] = []
    stages: TwoStages | None = None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The method whose order is shown first, stepped on and cited."""
        return decides(self.rankings)

    @property
    def own(self) -> Ranking:
        """That method's ranking."""
        return self.rankings[self.method]


def decides(rankings: Mapping[str, Any]) -> str:
    """Of an answer's rankings, as saved or as read, the method whose order counts."""
    return TWO_STAGES if TWO_STAGES in rankings else TRACKSTAR


class Step(BaseModel):
    """One training step on one passage alone: the target's probability changed by so many percentage points."""

    passage_id: int
    change: float


class TrainingResult(BaseModel):
    """The answer to a `StepRequest`."""

    kind: Literal["train"] = "train"
    steps: list[Step]
    control: list[Step]
    probability: float  # of the target before
    settings: dict[str, Any]
    timings: dict[str, float]


class Shaded(BaseModel):
    """One passage's influence split over its tokens: `(start, end, value)` by characters, adding up to `score`.

    `parts`: the same split over the answer's parts, adding up to `score` too.
    """

    passage_id: int
    tokens: list[tuple[int, int, float]]
    score: float
    parts: list[float] = []


class ShadingResult(BaseModel):
    """The answer to a `Shading`; the split is by the token whose loss it is.

    `completion` has what is explained token by token; old shadings lack it. `parts`: start and end, in characters of the
    completion, of the sentences and numbers of what is explained; none where another completion is subtracted.
    """

    kind: Literal["shade"] = "shade"
    completion: Completion | None = None
    parts: list[tuple[int, int]] = []
    passages: list[Shaded]
    timings: dict[str, float]
