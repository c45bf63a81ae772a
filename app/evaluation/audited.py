"""What an audit of a corpus found, as a file of its home that the site shows: HOME/audits/NAME.json.

It names passages by their rows and ids and holds none of their texts: what is taken down from the corpus is gone from
here, too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.files import write_json

SUFFIX = ".json"


@dataclass(frozen=True)
class AuditRanking:
    """Passages by one way of looking, the highest first.

    Args:
        by: of `app.words.auditing.WAYS`.
        rows, ids, scores: of the first passages, best first. among: how many passages had a score.
    """

    by: str
    rows: Sequence[int]
    ids: Sequence[str]
    scores: Sequence[float]
    among: int


@dataclass(frozen=True)
class Spread:
    """How self-influence is spread over all passages: how many lie between one edge and the next.

    Args:
        edges: powers of ten, one more than counts. nothing: passages whose self-influence is 0.
    """

    edges: Sequence[float]
    counts: Sequence[int]
    nothing: int


@dataclass(frozen=True)
class CorpusAudit:
    """An audit as its file has it.

    Args:
        about: index, model, corpus with their SHA-256, passages, how outputs were put together, when, and the command.
        outputs: id, prompt and target of each output that should not be.
    """

    about: Mapping[str, Any]
    outputs: Sequence[Mapping[str, str]]
    rankings: Sequence[AuditRanking]
    spread: Spread


def write_audit(audit: CorpusAudit, file: Path) -> None:
    """Write it, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, asdict(audit))


def read_audit(file: Path) -> CorpusAudit:
    """The inverse of `write_audit`.

    Raises:
        UserError: the file is no audit, or damaged.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found = CorpusAudit(
            dict(content["about"]),
            [{name: str(one[name]) for name in ("id", "prompt", "target")} for one in content["outputs"]],
            [AuditRanking(**each) for each in content["rankings"]],
            Spread(**content["spread"]),
        )
        found.about["corpus"], found.about["passages"]  # what every page says of it
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"It is no outcome of startrail audit, or damaged: {error}.",
            file=file,
            remedy="Remove it, and give startrail audit --save again.",
        ) from None
    return found
