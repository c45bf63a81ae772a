"""A matrix of scores, queries by passages or the other way round, as records of results: the best and the worst of each row.

The scores say nothing of texts: prompts and passages are those of the named prompt set and corpus, in their order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.interchange.records import Line
from app.store.corpora import get_corpus
from app.store.prompts import get_prompt_set, list_prompts
from app.store.tables import Corpus, Passage, Prompt

KEPT_PROPONENTS = 100
ROWS = ("queries", "passages")


@dataclass(frozen=True)
class Places:
    """What rows and columns of a matrix stand for.

    Args:
        prompts: a prompt set in the store; corpus: a corpus there.
        rows: `queries` or `passages`, where the user says it; empty: told by comparing shapes.
        k, opponents: how many of each side are kept.
    """

    session: Session
    prompts: str
    corpus: str
    rows: str = ""
    k: int = KEPT_PROPONENTS
    opponents: int = 10


def records_of(scores: np.ndarray, file: Path, places: Places, *, rows: str = "") -> Iterator[Line]:
    """Each query's best and worst passages, ties in the order of the corpus.

    Args:
        scores: (queries, passages) or (passages, queries), of any kind of number.
        rows: what the format says that the rows are; empty: it does not say.

    Raises:
        NotFound: there is no such prompt set or corpus. UserError: the shape fits neither or both, or a score is no number.
    """
    prompts = list_prompts(places.session, get_prompt_set(places.session, places.prompts).id)
    corpus = get_corpus(places.session, places.corpus)
    scores = _oriented(scores, file, len(prompts), corpus.passage_count, rows or places.rows)
    for number, (prompt, row) in enumerate(zip(prompts, scores, strict=True), 1):
        row = np.asarray(row)
        if not np.isfinite(row).all():
            at = int(np.flatnonzero(~np.isfinite(row))[0])
            raise UserError(
                f"The score of passage {at + 1} for query {number} is {row[at]}.",
                file=file,
                remedy="Compute it again; every score must be a finite number.",
            )
        best, worst = order(row, places.k), order(-row, places.opponents)
        worst = worst[row[worst] < 0]  # what is least in favour is not yet against
        yield Line(file, number, _record(places.session, prompt, corpus, row, best, worst))


def order(row: np.ndarray, most: int) -> np.ndarray:
    """The places of the `most` largest numbers, largest first, ties by place."""
    if most >= len(row):
        return np.argsort(-row, kind="stable")
    least = np.partition(row, len(row) - most)[len(row) - most] if most else np.inf
    places = np.flatnonzero(row >= least)
    return places[np.argsort(-row[places], kind="stable")][:most]


def _oriented(scores: np.ndarray, file: Path, queries: int, passages: int, rows: str) -> np.ndarray:
    fits = {"queries": scores.shape == (queries, passages), "passages": scores.shape == (passages, queries)}
    if rows and rows not in ROWS:
        raise UserError(f"Rows are not {rows!r}.", field="rows", remedy=f"Use {' or '.join(ROWS)}.")
    chosen = rows or next((name for name, fit in fits.items() if fit), "queries")
    if not fits[chosen]:
        shape = "×".join(map(str, scores.shape))
        raise UserError(
            f"The scores are {shape}; there are {queries:,} prompts and {passages:,} passages.",
            file=file,
            remedy="Name the set and the corpus that they were computed for with --prompts and --corpus.",
        )
    if not rows and all(fits.values()):
        raise UserError(
            f"There are as many prompts as passages ({queries:,}): which are the rows?",
            file=file,
            field="rows",
            remedy="Give --rows queries or --rows passages.",
        )
    return scores if chosen == "queries" else scores.T


def _record(
    session: Session, prompt: Prompt, corpus: Corpus, row: np.ndarray, best: np.ndarray, worst: np.ndarray
) -> dict[str, object]:
    wanted = sorted({*best.tolist(), *worst.tolist()})
    query = select(Passage.position, Passage.external_id).where(
        Passage.corpus_id == corpus.id, Passage.position.in_(wanted)
    )
    names = {position: str(identifier) for position, identifier in session.execute(query)}
    record: dict[str, object] = {
        "example_id": prompt.external_id,
        "inputs_plaintext": prompt.text,
        "targets_plaintext": prompt.target,
    }
    for side, places in (("proponent", best), ("opponent", worst)):
        if len(places):
            record[f"{side}_ids"] = [names[at] for at in places.tolist()]
            record[f"{side}_scores"] = [float(row[at]) for at in places]
    return record
