"""Steps that nobody asked for: one on each passage that a trace or a run's result shows, and on random ones beside.

The lanes are the first passages traced for, those that share most words, random ones, and the first traced against.
"""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from time import perf_counter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.steps import TailPatch
from app.models.text import Query
from app.store import steps, traces
from app.store.engine import Store
from app.store.tables import Output, Prompt, Result, Retrieved, Run
from app.tracing.deciding import decided, depth
from app.tracing.explained import asked_of, explained
from app.tracing.loaded import LoadedIndex
from app.tracing.trace_results import Hit, TraceResult
from app.tracing.training import texts_of
from app.words.methods import BM25

FEW = 3  # passages a lane where steps are dear
DRAWN = 250  # random passages, of which those are taken that stand in no other lane: as many whatever is asked for
AT_ONCE = 10  # steps between two saves


class NotWanted(Exception):
    """Somebody cancelled the job, or another worker has it."""


@dataclass(frozen=True)
class Subject:
    """What is explained, and what is shown of it already: passage ids by lane."""

    parent: str
    query: Query
    shown: dict[str, list[int]]


def take_steps(
    store: Store,
    loaded: LoadedIndex,
    parent: str,
    count: int,
    report: Callable[[int, int], bool],
    *,
    page_seconds: float,
) -> dict[str, Any]:
    """Take what is missing of the steps of a trace or result, and keep each as it comes.

    Args:
        parent: see `app.store.steps`.
        count: passages a lane; where a step is dear, as measured, `FEW`.
        report: told how many of how many; answers whether more are wanted.
        page_seconds: where the steps of a page would take longer than this, they are dear.

    Raises:
        UserError: it is gone, or the model cannot take a step.
        NotWanted: `report` said so.
    """
    started = perf_counter()
    patch = loaded.patch()
    count = affordable(patch.seconds, count, page_seconds)
    with store.session() as session:
        subject = subject_of(session, parent)
        key = key_of(patch, subject.query, loaded.index.manifest.corpus.sha256)
        lanes = lanes_of(session, loaded, subject, count, seed=key)
        texts = texts_of(session, list(chain.from_iterable(lanes.values())))
    (before,) = patch.probabilities([subject.query])
    with store.session() as session:
        set_id = steps.begin(session, parent, key, before=before, settings=patch.settings, lanes=lanes)
        # Lane after lane: the page says what the traced passages did while the others are still being stepped on.
        todo = steps.missing(session, set_id, list(chain.from_iterable(lanes.values())))
    for at in range(0, len(todo), AT_ONCE):
        if not report(at, len(todo)):
            raise NotWanted
        ids = todo[at : at + AT_ONCE]
        ends = patch.after([(texts[id_], [subject.query]) for id_ in ids])
        with store.session() as session:
            steps.keep(session, set_id, {id_: end for id_, (end,) in zip(ids, ends, strict=True)})
    return {"kind": "steps", "taken": len(todo), "timings": {"total": 1000 * (perf_counter() - started)}}


def affordable(seconds: float, count: int, page_seconds: float) -> int:
    """How many passages a lane, of `count`: all where the steps of a page take no longer than `page_seconds`.

    Args:
        seconds: what one step costs, as measured.
    """
    dear = seconds * count * len(steps.LANES) > page_seconds
    return min(count, FEW) if dear else count


def key_of(patch: TailPatch, query: Query, corpus_sha256: str | None) -> str:
    """Equal for equal weights, settings of the step and targets; whatever page, run or lane asks.

    A state that was estimated is of the corpus that it was estimated from.
    """
    target = patch.model.texts.query(query)
    said: list[Any] = [patch.model.sha256, patch.settings, target.ids, target.targets]
    said += [corpus_sha256] if patch.sample else []
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def subject_of(session: Session, parent: str) -> Subject:
    """The target of a trace or result, and the passages that it shows.

    Raises:
        UserError: it is gone.
    """
    kind, _, id_ = parent.partition(":")
    if kind == "trace" and (trace := traces.get(session, id_)) is not None:
        result = TraceResult.model_validate(trace.result)
        own = result.own
        shown = {"for": _ids(own.proponents), "against": _ids(own.opponents)}
        if BM25 in result.rankings:
            shown["words"] = _ids(result.rankings[BM25].proponents)
        return Subject(parent, explained(trace.request, result), shown)
    if kind == "result" and (found := session.get(Result, int(id_))) is not None:
        prompt = session.get_one(Prompt, found.prompt_id)
        sides = {"for": "proponent", "against": "opponent"}
        shown = {lane: _retrieved(session, found.id, side) for lane, side in sides.items()}
        return Subject(parent, _asked(session, found, prompt), shown)
    raise UserError("What was to be checked is gone.", status=410)


def _asked(session: Session, result: Result, prompt: Prompt) -> Query:
    """What the result's run explains of the prompt."""
    run = session.get_one(Run, result.run_id)
    own = select(Output).where(Output.prompt_id == prompt.id, Output.model_id == run.model_id)
    output = session.scalar(own)
    return asked_of(run.explains, prompt, output)


def _ids(hits: Sequence[Hit]) -> list[int]:
    return [hit.passage_id for hit in hits]


def _retrieved(session: Session, result_id: int, side: str) -> list[int]:
    rows = select(Retrieved.passage_id).where(Retrieved.result_id == result_id, Retrieved.side == side)
    return list(session.scalars(rows.order_by(Retrieved.rank).limit(100)))


def lanes_of(
    session: Session, loaded: LoadedIndex, subject: Subject, count: int, *, seed: str
) -> dict[str, list[int]]:
    """`count` passages a lane: those shown, and what is not shown is searched for now.

    Args:
        seed: draws the random ones; equal for equal targets, so that all pages about one share their control.
    """
    shown = subject.shown
    lanes = {"for": shown["for"][:count]}
    lanes["words"] = _at_least(
        shown.get("words", []), count, lambda: _by_words(session, loaded, subject.query, count)
    )
    lanes["against"] = _at_least(
        shown["against"], count, lambda: _opponents(session, loaded, subject.query, count)
    )
    lanes["random"] = _random(session, loaded, count, avoid=lanes, seed=seed)
    return {name: lanes[name] for name in steps.LANES}


def _at_least(shown: list[int], count: int, search: Callable[[], list[int]]) -> list[int]:
    return shown[:count] if len(shown) >= count else search()


def _by_words(session: Session, loaded: LoadedIndex, query: Query, count: int) -> list[int]:
    (rows,) = loaded.by_words([query.joined], [count])
    return _passages(session, loaded, [row for row, _ in rows])


def _opponents(session: Session, loaded: LoadedIndex, query: Query, count: int) -> list[int]:
    vectors = loaded.encoder.encode_queries([query])
    scores, rows = loaded.search.search(vectors, depth(loaded, count), opponents=True)
    found = [(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True) if row >= 0]
    ids = loaded.ids(session, [row for row, _ in found])
    for ranking in decided(session, loaded, [query], [((), found, None)], ids, count):
        return _ids(ranking.opponents)
    return [ids[row] for row, _ in found]


def _passages(session: Session, loaded: LoadedIndex, rows: Sequence[int]) -> list[int]:
    ids = loaded.ids(session, rows)
    return [ids[row] for row in rows]


def _random(
    session: Session, loaded: LoadedIndex, count: int, *, avoid: Mapping[str, Sequence[int]], seed: str
) -> list[int]:
    """Drawn with the seed, so that asking again measures the same; none that another lane has."""
    others = set(chain.from_iterable(avoid.values()))
    passages = loaded.index.manifest.passages
    rows = random.Random(seed).sample(range(passages), min(DRAWN, passages))
    return [id_ for id_ in _passages(session, loaded, rows) if id_ not in others][:count]
