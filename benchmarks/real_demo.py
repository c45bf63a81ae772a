"""What the real demo's home shows: whether wrong, old and poisoned answers lead to the passages that taught them.

    startrail demo --real --build-only
    python benchmarks/real_demo.py [--home startrail-real]

Of each prompt about what is invented, the page explains what the model said, or the target where that was said. A passage
states it if it is about this fact and says just that (the corpus knows). Counted are those prompts whose answer some passage
states; of the others the model made something up, and they are told apart. Steps are those of the pages that have them.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median
from typing import Any

from _report import Check, finish
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.settings import Settings
from app.store.engine import open_store
from app.store.runs import get_run, run_beside
from app.store.steps import of_result, steps_of
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run
from app.tracing.explained import asked_of
from app.words.names import fold

FIRST = 3


def main() -> None:
    """Print the figures of a home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("startrail-real"))
    store = open_store(Settings(home=parser.parse_args().home).url)
    with store.session() as session:
        pages = [page for page in pages_of(session, "trackstar") if page["kind"] != "control"]
        words = [page for page in pages_of(session, "bm25") if page["kind"] != "control"]
        known = pages_of(session, "general-knowledge")
    store.engine.dispose()
    checks = [*ranked(pages, words), *stepped(pages), controlled(known)]
    finish("real_demo", checks)


def pages_of(session: Session, slug: str) -> list[dict[str, Any]]:
    """Every prompt of a run as its page has it: what is explained, and where the first passage that states it comes."""
    run = get_run(session, slug)
    passages = list(session.scalars(select(Passage).where(Passage.corpus_id == run.corpus_id)))
    stating = defaultdict(set)
    for passage in passages:
        for fact in passage.meta.get("states", ()):
            stating[fact, fold(passage.meta.get("says", "").rstrip("."))].add(passage.id)
    beside = run_beside(session, run)
    said = {row.prompt_id: row for row in _results(session, beside)} if beside else {}
    made = []
    for listed in _results(session, run):
        result = said.get(listed.prompt_id, listed)
        prompt = session.get_one(Prompt, result.prompt_id)
        output = session.scalar(
            select(Output).where(Output.prompt_id == prompt.id, Output.model_id == run.model_id)
        )
        explains = beside.explains if beside and result is not listed else run.explains
        answer = asked_of(explains, prompt, output).explained.strip()
        own = stating.get((prompt.fact_id or "", fold(answer.rstrip("."))), set())
        rows = session.execute(
            select(Retrieved.rank, Retrieved.passage_id)
            .where(Retrieved.result_id == result.id, Retrieved.side == "proponent")
            .order_by(Retrieved.rank)
        ).all()
        rank = next((rank for rank, id_ in rows if id_ in own), None)
        made.append(
            {
                "id": prompt.external_id,
                "kind": prompt.extra.get("kind", ""),
                "answer": answer,
                "target": prompt.target,
                "correct": bool(output and output.correct),
                "stated": bool(own),
                "own": own,
                "rank": rank,
                "above": result.above_chance,
                "steps": steps_of(session, of_result(result.id)),
            }
        )
    return made


def _results(session: Session, run: Run) -> list[Result]:
    return list(session.scalars(select(Result).where(Result.run_id == run.id).order_by(Result.position)))


def ranked(pages: list[dict[str, Any]], words: list[dict[str, Any]]) -> list[Check]:
    """Whether passages that state what is explained come first."""
    checks = []
    for name, own in (("TrackStar", pages), ("BM25", words)):
        told = [page for page in own if page["stated"]]
        share = fmean((page["rank"] or 99) <= FIRST for page in told)
        mrr = fmean(1 / page["rank"] if page["rank"] else 0.0 for page in told)
        reach = 0.9 if name == "TrackStar" else None
        checks.append(Check(f"{name}: a stating passage among the first {FIRST}", share, "share", reach))
        checks.append(Check(f"{name}: mean reciprocal rank", mrr, ""))
        found = fmean((page["rank"] or 99) <= FIRST for page in own)
        checks.append(Check(f"{name}: the same of all {len(own)}, made up answers included", found, "share"))
    kinds = defaultdict(list)
    for page in pages:
        kinds[page["kind"]].append(page)
    for kind, own in kinds.items():
        told = [page for page in own if page["stated"]]
        print(
            f"{kind:10} {len(own):4} prompts, {sum(page['correct'] for page in own)} answered as it is,"
            f" {len(told)} with an answer that a passage states, of these"
            f" {sum((page['rank'] or 99) <= FIRST for page in told)} among the first {FIRST}"
        )
    return checks


def stepped(pages: list[dict[str, Any]]) -> list[Check]:
    """How much further a step on the first passage that states it moves the answer than steps on random ones do."""
    ratios = []
    for page in pages:
        steps = page["steps"]
        if steps is None or not page["stated"]:
            continue
        first = next((dot for dot in steps.lanes.get("for", ()) if dot.passage_id in page["own"]), None)
        random = [dot.after - steps.before for dot in steps.lanes.get("random", ()) if dot.after is not None]
        if first is None or first.after is None or not random:
            continue
        ratios.append(abs(first.after - steps.before) / max(1e-9, fmean(map(abs, random))))
    if not ratios:
        return []
    return [Check(f"a step on it against random, median of {len(ratios)}", median(ratios), "times", 10)]


def controlled(known: list[dict[str, Any]]) -> Check:
    """Of general knowledge nothing in this corpus may stand out."""
    nothing = fmean(page["above"] == 0 for page in known)
    return Check(f"nothing stands out, {len(known)} controls", nothing, "share", 0.8)


if __name__ == "__main__":
    main()
