"""What EK-FAC's order of TrackStar's candidates is worth: the same facts, the same steps, pair by pair.

    python benchmarks/two_stages.py [--home startrail-home] [--facts 60] [--before INDEX]
    python benchmarks/two_stages.py --index INDEX --prompts SET --no-steps

For facts of the demo drawn at random, the first hundred passages by TrackStar (the demo's index), the same hundred in
the order of their exact influence, and the first hundred by BM25: how many of the first ten state the fact, where the first
does, and what one training step on each of the first ten does to the answer's probability, in points. Differences are of
the same facts, with 95 % intervals (bootstrap over facts). `--before` names another index of the same corpus, whose first
hundred stand beside them: what the default was before, made by `startrail index demo demo --damping 0.001 --name INDEX`.
`--index` and `--prompts` name others than the demo's; `--no-steps` leaves the steps out.
"""

import argparse
import os
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _report import Check, finish
from rerank import near

from app.curvature.deciding import CANDIDATES
from app.evaluation.metrics import estimate, paired_difference
from app.models.text import Query
from app.runs.saving import passage_ids, stated_passages
from app.settings import Settings
from app.store.corpora import get_corpus, stream_lessons
from app.store.engine import Store, open_store
from app.store.prompts import get_prompt_set, list_prompts
from app.tracing.loaded import LoadedIndex, open_loaded
from app.tracing.trace_engine import use_threads
from app.words.methods import BM25, TRACKSTAR, TWO_STAGES, method_label
from app.words.roles import Lesson

FIRST = 10
MEASURES = ("precision@10", "reciprocal rank", "tail-patch@10")
REACHES = {"precision@10": 0.05, "reciprocal rank": 0.0, "tail-patch@10": 1.0}  # on the demo's facts
BEFORE = "before"
Facts = list[tuple[Query, set[int]]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path(os.environ.get("STARTRAIL_HOME", "startrail-home"))
    parser.add_argument("--home", type=Path, default=home)
    parser.add_argument("--facts", type=int, default=60)
    parser.add_argument("--before", default="", help="another index of the same corpus")
    parser.add_argument("--index", default="", help="the home's own, where it is not said")
    parser.add_argument("--prompts", default="demo", help="a prompt set whose facts know what states them")
    parser.add_argument("--no-steps", action="store_true")
    asked = parser.parse_args()
    settings = Settings(home=asked.home.resolve(), device="cpu")
    use_threads()
    store = open_store(settings.url)
    loaded = open_loaded(settings, store, asked.index or settings.default_index)
    facts, lessons = facts_of(store, loaded, asked.facts, asked.prompts)
    before = open_loaded(settings, store, asked.before) if asked.before else None
    figures: dict[str, list[tuple[float, float, float]]] = {TRACKSTAR: [], TWO_STAGES: [], BM25: []}
    for at, (query, stating) in enumerate(facts, 1):
        lists = listed(loaded, query, lessons)
        if before:
            lists[BEFORE] = near(before, query)
        changes = {} if asked.no_steps else stepped(loaded, query, lists.values(), lessons)
        for method, rows in lists.items():
            figures.setdefault(method, []).append(measured(rows, stating, changes))
        print(f"{at} of {len(facts)}", end="\r", flush=True)
    reaches = REACHES if asked.prompts == "demo" else {}
    finish("two_stages", reported(figures, MEASURES[:2] if asked.no_steps else MEASURES, reaches))


def facts_of(store: Store, loaded: LoadedIndex, count: int, prompt_set: str) -> tuple[Facts, list[Lesson]]:
    """Facts of a prompt set drawn at random, each with the rows of the passages that state it; and all passages."""
    with store.session() as session:
        corpus = get_corpus(session, loaded.index.manifest.corpus.name)
        prompts = get_prompt_set(session, prompt_set)
        known = stated_passages(session, prompts)
        rows = {int(id_): row for row, id_ in enumerate(passage_ids(session, corpus))}
        all_ = [each for each in list_prompts(session, prompts.id) if each.task == "fact"]
        facts = [
            (Query.of_target(each.text, each.target), {rows[id_] for id_ in known.get(each.id, ())})
            for each in random.Random(0).sample(all_, min(count, len(all_)))
        ]
        return facts, [lesson for _, lesson in stream_lessons(session, corpus.id)]


def listed(loaded: LoadedIndex, query: Query, lessons: list[Lesson]) -> dict[str, list[int]]:
    """The first hundred rows by each method."""
    second = loaded.deciding
    if second is None:
        raise SystemExit("The index has no EK-FAC factors: startrail index --rerank ekfac fits them.")
    candidates = near(loaded, query)
    passages = loaded.model.texts.passages([lessons[row] for row in candidates])
    direction = second.direction(loaded.model.texts.query(query))
    _, ordered = second.order(direction, passages, np.array(candidates), CANDIDATES)
    (words,) = loaded.by_words([query.joined], [CANDIDATES])
    return {TRACKSTAR: candidates, TWO_STAGES: [int(row) for row in ordered], BM25: [row for row, _ in words]}


def stepped(
    loaded: LoadedIndex, query: Query, lists: Iterable[list[int]], lessons: list[Lesson]
) -> dict[int, float]:
    """What a step on each of the first ten of every list does to the answer's probability, in points, by row."""
    rows = sorted({row for own in lists for row in own[:FIRST]})
    points = loaded.patch().measure(query, [lessons[row] for row in rows])
    return dict(zip(rows, points, strict=True))


def measured(rows: list[int], stating: set[int], changes: dict[int, float]) -> tuple[float, float, float]:
    """Each of `MEASURES` of one list."""
    first = rows[:FIRST]
    rank = next((place for place, row in enumerate(rows, 1) if row in stating), None)
    return (
        sum(row in stating for row in first) / FIRST,
        1 / rank if rank else 0.0,
        sum(changes[row] for row in first) / max(1, len(first)) if changes else 0.0,
    )


def reported(
    figures: dict[str, list[tuple[float, float, float]]], measures: tuple[str, ...], reaches: dict[str, float]
) -> list[Check]:
    base = BEFORE if BEFORE in figures else TRACKSTAR
    checks = []
    for at, measure in enumerate(measures):
        columns = {method: [row[at] for row in rows] for method, rows in figures.items()}
        for method, values in columns.items():
            own = estimate(values)
            if own:
                print(f"{measure:<16} {label(method):<20} {own.mean:.3f} [{own.low:.3f}, {own.high:.3f}]")
        reach: dict[tuple[str, str], float | None] = {(TWO_STAGES, base): reaches.get(measure)}
        if base == BEFORE:
            reach[TRACKSTAR, BEFORE] = 0.5 if measure == "tail-patch@10" else None
        for one, other in dict.fromkeys([*reach, (TWO_STAGES, TRACKSTAR), (TWO_STAGES, BM25)]):
            gap = paired_difference(columns[one], columns[other])
            if gap:
                name = f"{measure}: {label(one)} less {label(other)}"
                print(f"{name:<56} {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]")
                checks.append(Check(name, gap.mean, "", reach.get((one, other))))
    return checks


def label(method: str) -> str:
    return "the index before" if method == BEFORE else method_label(method)


if __name__ == "__main__":
    main()
