"""What is said of a method of ranking passages. The methods themselves are entries of `app.words.methods`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["gradient", "words", "meaning", "control", "imported"]
Need = Literal["model", "optimizer state", "task", "dense model"]

KINDS: dict[Kind, str] = {
    "gradient": "by gradients",
    "words": "by words",
    "meaning": "by meaning",
    "control": "control",
    "imported": "from files",
}
BASELINES: tuple[Kind, ...] = ("words", "meaning", "control")
NEEDS: dict[Need, str] = {
    "model": "the model’s weights",
    "optimizer state": "its optimizer’s second moments",
    "task": "queries of the task",
    "dense model": "a model of sentence embeddings",
}


@dataclass(frozen=True)
class Method:
    """An entry.

    Args:
        name: as commands, addresses and `Run.method` have it.
        label: as people read it.
        sentence: how it ranks, in one plain sentence.
        colour: its colour on light and on dark pages, as CSS; legible as text on either.
        needs: what must be there for it to rank.
        ranks: `module:function` that ranks the passages for a whole prompt set; empty where results only come in files.
        encoding: of a method by gradients, the switches of `app.trackstar.config` that are not as usual.
        spellings: what names of results files call it, besides its name.
        lead: its place where only few have room, from 1; charts and lists begin with it.
        stranger: of a method that no entry names, which of the colours kept for those it has.
    """

    name: str
    label: str
    kind: Kind
    sentence: str
    colour: tuple[str, str]
    needs: tuple[Need, ...] = ()
    ranks: str = ""
    encoding: Mapping[str, Any] | None = field(default=None, hash=False)
    spellings: tuple[str, ...] = ()
    lead: int = 99
    stranger: int | None = None

    @property
    def contrasts(self) -> bool:
        """Whether it can rank by what speaks for one completion and against another: gradients can be subtracted."""
        return self.kind == "gradient"

    @property
    def css(self) -> str:
        """Its class on pages, which sets the custom property `--method` to its colour: `+V` -> `method-v`."""
        if self.stranger is not None:
            return f"method-other-{self.stranger}"
        return f"method-{re.sub('[^a-z0-9]+', '-', self.name.lower()).strip('-')}"
