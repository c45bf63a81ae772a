"""Steps as a file: what was measured on one machine is shown on another that has the same model and corpus.

JSON Lines, gzipped. The first line says of which model and corpus; each other one has a target's `key`
(`app.tracing.stepping.key_of`), its probability `before`, the `settings` of the step, and `after`: by a passage's id,
the probability that a step on it left. A step belongs to a target, not to a run or a page, so the file knows of neither.
"""

import gzip
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.files import json_encoded, write_bytes
from app.interchange.records import Reading, read_records
from app.store.chunks import chunks
from app.store.steps import keep, kept_set, of_result
from app.store.tables import Corpus, Passage
from app.store.work_tables import LanePassage, StepSet, StepTaken

DIGITS = 9  # of a probability: a step is exact to about seven


def write_steps(
    session: Session, corpus: Corpus, model_sha256: str, results: Sequence[int], file: Path
) -> int:
    """Write every step on the targets of these results; returns how many. The same steps give the same bytes."""
    parents = [of_result(result) for result in results]
    lines: list[dict[str, Any]] = [_head(corpus, model_sha256)]
    count = 0
    for found in _sets(session, parents):
        rows = session.execute(
            select(Passage.external_id, StepTaken.after)
            .join(Passage, Passage.id == StepTaken.passage_id)
            .where(StepTaken.set_id == found.id, Passage.corpus_id == corpus.id)
            .order_by(Passage.position)
        )
        after = {id_: round(end, DIGITS) for id_, end in rows}
        count += len(after)
        lines.append({"key": found.key, "before": found.before, "settings": found.settings, "after": after})
    content = b"".join(json_encoded(line) + b"\n" for line in lines)
    write_bytes(file, gzip.compress(content, compresslevel=9, mtime=0))
    return count


def read_steps(session: Session, corpus: Corpus, model_sha256: str, file: Path) -> int:
    """Keep every step of a file as if it had been taken here; returns how many.

    Raises:
        UserError: it is no such file, or of another model or corpus.
    """
    if not fits(corpus, model_sha256, file):
        raise UserError(
            f"Its steps are not of this model and the corpus “{corpus.name}”.",
            file=file,
            remedy="Take them here: startrail steps RUN.",
        )
    count = 0
    for line in islice(_lines(file), 1, None):
        set_id = kept_set(session, line["key"], before=line["before"], settings=line["settings"])
        for piece in chunks(list(line["after"]), 500):
            ids = session.execute(
                select(Passage.external_id, Passage.id).where(
                    Passage.corpus_id == corpus.id, Passage.external_id.in_(piece)
                )
            )
            keep(session, set_id, {id_: line["after"][external] for external, id_ in ids})
        count += len(line["after"])
    return count


def fits(corpus: Corpus, model_sha256: str, file: Path) -> bool:
    """Whether a file's steps are of this model and corpus.

    Raises:
        UserError: it is no such file.
    """
    return next(_lines(file), None) == _head(corpus, model_sha256)


def _head(corpus: Corpus, model_sha256: str) -> dict[str, Any]:
    return {"steps": 1, "model_sha256": model_sha256, "corpus_sha256": corpus.sha256}


def _sets(session: Session, parents: Sequence[str]) -> list[StepSet]:
    found: dict[str, StepSet] = {}
    for piece in chunks(list(parents), 500):
        of = select(LanePassage.set_id).where(LanePassage.parent.in_(piece))
        found |= {each.key: each for each in session.scalars(select(StepSet).where(StepSet.id.in_(of)))}
    return [found[key] for key in sorted(found)]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        for line in read_records(file, Reading(format="jsonl")):
            yield line.record
    except UserError as error:
        raise UserError(
            f"It is no file of steps: {error.message}",
            file=file,
            line=error.line,
            remedy="Make one with `startrail steps --save`.",
        ) from None
