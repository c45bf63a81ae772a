"""What an audit is asked: which index, which outputs that should not be, and in which ways it is looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.interchange.fields import Fields
from app.interchange.plain import read_prompts
from app.models.text import Query
from app.settings import Settings
from app.store.prompts import get_prompt_set, list_prompts
from app.tracing.catalog import manifests
from app.words.auditing import BY_FACTORS, OF_OUTPUTS, OVER, SUM, WAYS, way_label
from app.words.methods import EKFAC

FIRST = 50  # passages of each way that are kept
EXACT = 1_000  # passages, the first by self-influence, whose exact self-influence is worked out


@dataclass(frozen=True)
class UnwantedOutput:
    """A prompt with what should not follow it."""

    id: str
    query: Query
    target: str


@dataclass(frozen=True)
class Looking:
    """How it is looked; the names are those of `startrail audit`'s options.

    Args:
        ways: of `WAYS`; none: all that can be taken, but EK-FAC over all passages.
        over: whether a passage's scores for several outputs are added up, or the highest counts.
        k: passages kept of each way. exact: how many, first by self-influence, have it worked out without a projection; 0: all.
    """

    ways: Sequence[str] = ()
    over: str = SUM
    k: int = FIRST
    exact: int = EXACT

    def check(self, outputs: str) -> None:
        """Refuse what does not fit together, before anything is read.

        Raises:
            UserError: a way is not known, or asks for outputs and there are none, or the other way round.
        """
        for way in self.ways:
            if way not in WAYS:
                raise UserError(f"{way!r} is not known.", field="by", remedy=f"Use {', '.join(WAYS)}.")
            if way in OF_OUTPUTS and not outputs:
                raise UserError(
                    f"{way_label(way)} looks for what is behind outputs, and none are given.",
                    field="by",
                    remedy="Name them with --outputs, or look by self-influence.",
                )
        if self.over not in OVER:
            raise UserError(f"{self.over!r} is not known.", field="over", remedy=f"Use {' or '.join(OVER)}.")
        if outputs and self.ways and not set(self.ways) & set(OF_OUTPUTS):
            raise UserError(
                "Self-influence asks for no outputs.",
                field="outputs",
                remedy=f"Look by one of {', '.join(OF_OUTPUTS)}, too, or leave them out.",
            )

    def chosen(self, outputs: bool, factors: bool) -> list[str]:
        """The ways that are taken, in the order in which they are told.

        Raises:
            NotFound: one needs EK-FAC's factors, and there are none.
        """
        if lacking := [way for way in self.ways if way in BY_FACTORS and not factors]:
            raise NotFound(
                f"{way_label(lacking[0])} needs EK-FAC’s factors, and the index has none.",
                field="by",
                remedy="Build it with --rerank ekfac, or let startrail retrieve --method trackstar+ekfac fit them.",
            )
        usual = [
            way
            for way in WAYS
            if way != EKFAC and (outputs or way not in OF_OUTPUTS) and (factors or way not in BY_FACTORS)
        ]
        return [way for way in WAYS if way in (self.ways or usual)]


def index_of(settings: Settings, name: str) -> str:
    """The index of this name, or the only one that was built from the corpus of this name.

    Raises:
        NotFound: there is neither. UserError: the corpus has several.
    """
    known = manifests(settings)
    if any(index == name for index, _ in known):
        return name
    own = [index for index, manifest in known if manifest.corpus.name == name]
    if len(own) == 1:
        return own[0]
    if own:
        raise UserError(
            f"The corpus “{name}” has several indexes.", field="index", remedy=f"Name one: {', '.join(own)}."
        )
    there = f"There are: {', '.join(index for index, _ in known)}. " if known else ""
    raise NotFound(
        f"There is no index “{name}”, and none of a corpus of this name.",
        field="index",
        remedy=f"{there}Build one with `startrail index MODEL CORPUS`.",
    )


def read_outputs(session: Session, named: str, fields: Fields | None = None) -> list[UnwantedOutput]:
    """The outputs of a file, or of a prompt set in the store where there is no such file; none where none is named.

    Raises:
        UserError: there is neither, a record cannot be read, or there is none with a target.
    """
    if not named:
        return []
    if Path(named).exists():
        rows = [(one.external_id, one.text, one.target) for one in read_prompts(named, fields=fields)]
    else:
        asked = list_prompts(session, get_prompt_set(session, named).id)
        rows = [(one.external_id, one.text, one.target) for one in asked]
    found = [
        UnwantedOutput(id_, Query.of_target(prompt, target), target)
        for id_, prompt, target in rows
        if target.strip()
    ]
    if not found:
        raise UserError(
            "There is no output in it.", file=named, field="target", remedy="Give prompts with a target each."
        )
    return found
