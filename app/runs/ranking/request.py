"""How a run asks a method: one call, all prompts, one answer.

A method of the registry (`app.words.methods`) names a function `rank(request: RankingRequest) -> Ranked`. It gives for
each of `request.prompts`, in their order, the rows of the corpus it ranks first, and what must be known to do it again.
It tells `request.progress` how far it is, and asks `request.texts()` for the passages if it reads any.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.text import Query
from app.retrieval.dense import check_model
from app.runs.inputs import RunInputs
from app.runs.saving import PromptRanking
from app.store.chunks import chunks
from app.store.corpora import stream_lessons, stream_passages
from app.store.tables import Prompt
from app.trackstar.queries import QueryRows
from app.words.method import Method
from app.words.methods import METHODS, rankers
from app.words.roles import Lesson

AT_ONCE = 64  # queries encoded and searched together
Ranked = tuple[list[PromptRanking], dict[str, Any]]
"""The ranking of each prompt, in order; and the method's part of `Run.configuration`."""


@dataclass(frozen=True)
class RankingRequest:
    """What a method is asked.

    Args:
        method: the entry of the registry.
        k: proponents wanted for each prompt.
        opponents: opponents wanted; a method that has none gives none.
        search: index kind; empty for the index's own.
        dense_model: directory of a sentence-transformers model.
        progress: told how many of how many steps are done.
    """

    session: Session
    inputs: RunInputs
    method: Method
    k: int
    opponents: int
    search: str
    dense_model: Path | None
    progress: Callable[[int, int], None]

    @property
    def prompts(self) -> Sequence[Prompt]:
        """What is asked."""
        return self.inputs.prompts

    def texts(self) -> Iterator[str]:
        """What people read of the passages of the corpus, in the order of its rows."""
        return (text for _, _, text in stream_passages(self.session, self.inputs.corpus.id))

    def lessons(self) -> Iterator[Lesson]:
        """The passages as the model was trained on them, in the order of its rows."""
        return (passage for _, passage in stream_lessons(self.session, self.inputs.corpus.id))

    def batches(self) -> Iterator[Sequence[Query]]:
        """What is asked of each prompt, some at a time; each batch that was worked on is told to `progress`."""
        queries, done = self.inputs.queries, 0
        for some in chunks(queries, AT_ONCE):
            yield some
            done += len(some)
            self.progress(done, len(queries))

    def encoded(self) -> Iterator[np.ndarray]:
        """Encodings (≤ `AT_ONCE`, d) of what is asked of the prompts, each against what it is asked against, in their order.

        What is encoded together depends on the prompts alone, whoever encodes.
        """
        inputs = self.inputs
        asked = list(zip(inputs.queries, inputs.others, strict=True))
        return inputs.hands.each(QueryRows(inputs.index.place), chunks(asked, AT_ONCE))


def check_method(name: str, dense_model: Path | None, *, contrast: bool = False) -> Method:
    """The method, if it can rank here, before hours are spent on the model's answers.

    Raises:
        UserError: it is unknown, or only files have results of it, or it needs a dense model and none is there, or it
            cannot rank by a contrast.
    """
    known = {method.name: method for method in rankers()}
    if name not in known:
        problem = f"There is no method “{name}”." if name not in METHODS else f"“{name}” only comes in files."
        raise UserError(problem, field="method", remedy=f"Use {', '.join(known)}.")
    if "dense model" in known[name].needs:
        check_model(dense_model)
    if contrast and not known[name].contrasts:
        able = ", ".join(each.name for each in known.values() if each.contrasts)
        raise UserError(
            f"{known[name].label} does not tell what speaks for one completion and against another.",
            field="contrast",
            remedy=f"Use {able}, or leave --contrast out.",
        )
    return known[name]


def rank(request: RankingRequest) -> Ranked:
    """Ask the method."""
    module, function = request.method.ranks.split(":")
    made: Ranked = getattr(import_module(module), function)(request)
    return made
