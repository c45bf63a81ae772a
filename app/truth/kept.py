"""The outcomes that a home has, and the passages that their models were trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.store.tables import Corpus, Passage
from app.truth.calibration import Calibration, Influences, calibrate
from app.truth.outcome import SUFFIX, Outcome, read_outcome

PLACE = "truth"  # of a home


@dataclass(frozen=True, eq=False)
class KeptOutcome:
    """An outcome with what its influences are worth."""

    name: str
    outcome: Outcome
    influences: Influences
    calibration: Calibration | None


def outcome_names(home: Path) -> list[str]:
    """What outcomes a home has, by the alphabet."""
    return sorted(
        file.name.removesuffix(SUFFIX) for file in (home / PLACE).glob(f"[!.]*{SUFFIX}") if file.is_file()
    )


def kept_outcome(home: Path, name: str) -> KeptOutcome | None:
    """The outcome of this name, read once for each state of its file; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    file = home / PLACE / f"{name}{SUFFIX}"
    return _read(name, file, file.stat().st_mtime_ns) if name in outcome_names(home) else None


def outcome_of(home: Path, corpus: Corpus) -> KeptOutcome | None:
    """The first outcome whose models were trained on passages of this corpus; None where there is none."""
    for name in outcome_names(home):
        kept = kept_outcome(home, name)
        if kept and corpus.sha256 and kept.outcome.about.get("corpus_sha256") == corpus.sha256:
            return kept
    return None


def passage_rows(session: Session, corpus: Corpus, only: str) -> Sequence[Row[tuple[int, str, str]]]:
    """(id, external id, text) of what small models are trained on, in the corpus's order.

    Args:
        only: passages whose field has this value, `field=value`; empty for all.
    """
    rows = session.execute(
        select(Passage.id, Passage.external_id, Passage.text, Passage.meta)
        .where(Passage.corpus_id == corpus.id)
        .order_by(Passage.position)
    ).all()
    return [row for row in rows if is_meant(row.meta, only)]


def is_meant(meta: dict[str, object], only: str) -> bool:
    """Whether a passage is among those of `only`."""
    field, _, value = only.partition("=")
    return not only or str(meta.get(field)) == value


@lru_cache(maxsize=4)
def _read(name: str, file: Path, changed: int) -> KeptOutcome:
    outcome = read_outcome(file)
    return KeptOutcome(name, outcome, Influences(outcome), calibrate(outcome))
