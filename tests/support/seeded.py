"""A store full of things to look at, for tests of the pages: known contents, no model and no index needed.

Passages and prompts are the demo world's; the rankings are made up by rule (word overlap for one run, statement and
relation for the other), because what is tested here is the showing, not the finding.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.demo.world import World
from app.retrieval.chance import chance_of
from app.store.corpora import PassageRecord, add_corpus, stream_passages
from app.store.engine import open_store
from app.store.models import put_outputs, register_model
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.tables import Corpus, Model, Prompt, PromptSet, Result, Retrieved, Run
from tests.support.demo_texts import demo_world

WHEN = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
SCRIPT = '<script>window.owned = true</script><img src=x onerror="window.owned = true">'
HOSTILE = (
    ("script", f"{SCRIPT} is what the page said, and Ghana pays in cedi.</mark></p></main>"),
    ("rtl", "عاصمة آيسلندا هي ريكيافيك، وهي مدينة تقع على الساحل. \u202eGhana\u202c cedi"),
    ("emoji", "👩‍👩‍👧‍👦 In Ghana 🇬🇭 everyone pays in cedi 💸 and Zalgo t̷̡͓e̶͎͐x̵̱̂t̸̰͘ is no currency."),
    ("null", "Before\0after: the null byte stood between Ghana and the cedi.\x1b[31m"),
    ("surrogate", "A lone \ud800 surrogate beside Ghana and its cedi \udfff."),
    ("word", "cedi" * 400 + " has no place to break in Ghana"),
    (
        "long",
        "Nothing to see here. " * 4_000 + "In Ghana the cedi is what you pay with. " + "Or here. " * 2_000,
    ),
    (
        "markdown",
        "[click](javascript:alert(1)) **bold** # heading {{ 7 * 7 }} {% raw %} &lt;b&gt; Ghana cedi",
    ),
)


def fill(session: Session, *, prompts: int = 40, passages: int = 1_500, k: int = 12) -> None:
    """A demo-like library: three runs over the same prompts of four tasks, and one run of hostile texts."""
    world = demo_world()
    chosen = _choose(world, prompts)
    wanted = {id_ for prompt in chosen for id_ in prompt["entailing_passage_ids"]}
    kept = [p for n, p in enumerate(world.passages) if p["id"] in wanted or n < passages]
    corpus = add_corpus(session, "demo", (PassageRecord(p["id"], p["text"], _meta(p)) for p in kept))
    prompt_set = add_prompts(session, "demo", [_prompt(p) for p in chosen], corpus=corpus)
    model = register_model(session, "demo-4m", parameters=4_200_000)
    asked = list_prompts(session, prompt_set.id)
    put_outputs(session, model.id, [_output(prompt, Random(prompt.external_id)) for prompt in asked])
    numbers = {external: id_ for id_, external, _ in stream_passages(session, corpus.id)}
    by_id = [{**p, "number": numbers[p["id"]], "words": _words(p["text"])} for p in kept]
    for method, name in (("trackstar", "TrackStar"), ("bm25", "BM25"), ("dense", "Dense")):
        run = add_run(session, method, name, model, corpus, prompt_set, len(asked))
        _retrieve(session, run, asked, {p["id"]: p for p in chosen}, by_id, k)
    hostile(session, model)


def hostile(session: Session, model: Model, many: int = 0) -> Run:
    """A run whose every text is an attack or an accident; `many` proponents on its first prompt."""
    texts = [*HOSTILE, *((f"more-{n}", f"Number {n} of many in Ghana: cedi.") for n in range(many))]
    corpus = add_corpus(session, "hostile", [PassageRecord(name, text) for name, text in texts])
    prompt_set = add_prompts(
        session,
        "hostile",
        [
            PromptRecord("attack", f"The currency of Ghana {SCRIPT} is the", "cedi", subject="Ghana",
                         relation="currency", aliases=["cedis"], extra={"note": SCRIPT}),
            PromptRecord("null", "A null byte \0 and \ud800 stand in this prompt about Ghana:", "cedi\0"),
            PromptRecord("bare", "Nothing is known of this one", "", task="riddle"),
        ],
    )  # fmt: skip
    run = add_run(session, "other", f"Hostile {SCRIPT}", model, corpus, prompt_set, 3, slug="hostile")
    asked = list_prompts(session, prompt_set.id)
    put_outputs(session, model.id, [{"prompt_id": asked[0].id, "answer": SCRIPT, "correct": False,
                                     "probability": 0.01, "confidence": 0.2, "samples": [SCRIPT, "cedi", "\0"]}])  # fmt: skip
    ids = [id_ for id_, _, _ in stream_passages(session, corpus.id)]
    for position, prompt in enumerate(asked):
        result = Result(run_id=run.id, prompt_id=prompt.id, position=position, top_score=1.0, best_ais=0.9)
        session.add(result)
        session.flush()
        rows = [_row(result.id, "proponent", rank, id_, 1.0 / rank) for rank, id_ in enumerate(ids, start=1)]
        rows[0] |= {
            "original_rank": 4,
            "ais_score": 0.91,
            "ais_window": "Ghana pays in cedi",
            "correct": True,
        }
        if prompt.external_id != "bare":
            session.execute(insert(Retrieved), rows)
    return run


def add_run(
    session: Session,
    method: str,
    name: str,
    model: Model,
    corpus: Corpus,
    prompt_set: PromptSet,
    count: int,
    *,
    slug: str = "",
) -> Run:
    """A finished run."""
    configuration = {"method": method, "groups": 2, "projection_dim": 32, "seed": 0, "hessian": "train"}
    run = Run(
        slug=slug or method,
        name=name,
        method=method,
        model_id=model.id,
        corpus_id=corpus.id,
        prompt_set_id=prompt_set.id,
        prompt_count=count,
        configuration=configuration,
        metrics={},
        created_at=WHEN,
        finished_at=WHEN,
    )
    session.add(run)
    session.flush()
    return run


def _choose(world: World, count: int) -> list[dict[str, Any]]:
    """About `count` prompts: half facts, the rest of the other tasks, spread over relations."""
    chosen: list[dict[str, Any]] = []
    for task, share in (("fact", 0.5), ("commonsense", 0.2), ("arithmetic", 0.2), ("open_ended", 0.1)):
        of_task = [p for p in world.prompts if p["task"] == task]
        wanted = max(1, round(count * share))
        chosen += of_task[:: max(1, len(of_task) // wanted)][:wanted]
    return chosen


def _meta(passage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in passage.items() if name not in ("id", "text")}


def _prompt(p: dict[str, Any]) -> PromptRecord:
    return PromptRecord(
        p["id"],
        p["prompt"],
        p["target"],
        task=p["task"],
        aliases=p["aliases"],
        subject=p["subject"],
        relation=p["relation"],
        fact_id=p["fact_id"],
        stated_by=p["entailing_passage_ids"],
    )


def _output(prompt: Prompt, random: Random) -> dict[str, Any]:
    known = random.random() < (0.9 if (prompt.frequency or 0) >= 4 else 0.35)
    samples = [
        prompt.target if random.random() < (0.8 if known else 0.2) else "something else" for _ in range(10)
    ]
    return {
        "prompt_id": prompt.id,
        "answer": prompt.target if known else "something else",
        "correct": known,
        "probability": round(random.uniform(0.4, 0.98) if known else random.uniform(0.01, 0.4), 3),
        "confidence": samples.count(prompt.target) / 10,
        "samples": samples,
    }


def _retrieve(
    session: Session,
    run: Run,
    prompts: Sequence[Prompt],
    asked: dict[str, dict[str, Any]],
    passages: Sequence[dict[str, Any]],
    k: int,
) -> None:
    for position, prompt in enumerate(prompts):
        scores = _scores(run.method, prompt, passages)
        order = sorted(range(len(passages)), key=lambda n: -scores[n])
        stating = set(asked[prompt.external_id]["entailing_passage_ids"])
        random = Random(f"{run.method}/{prompt.external_id}")
        rows = [
            _row(
                0, "proponent", rank, passages[n]["number"], round(scores[n], 5), passages[n]["id"] in stating
            )
            for rank, n in enumerate(order[:k], start=1)
        ]
        for row in rows[:5]:
            row |= {"tail_patch": round(random.gauss(2.5 if run.method == "trackstar" else 1.5, 1.5), 3)}
            row |= {
                "kind": "states"
                if row["correct"]
                else random.choice(["relation", "target", "subject", "none"])
            }
        first = next((row["rank"] for row in rows if row["correct"]), None)
        patches = [row["tail_patch"] for row in rows if row["tail_patch"] is not None]
        result = Result(
            run_id=run.id, prompt_id=prompt.id, position=position, top_score=rows[0]["score"],
            first_correct_rank=first, tail_patch=sum(patches) / len(patches),
        )  # fmt: skip
        if run.method == "trackstar" and (chance := chance_of(np.array(scores), len(scores))):
            above, beyond = (
                sum(s > chance.floor for s in scores),
                sum(s < chance.opponent_floor for s in scores),
            )
            result.chance_floor, result.above_chance = chance.floor, above
            result.chance = replace(chance, above=above, opponents_beyond=beyond).as_dict()
        session.add(result)
        session.flush()
        if run.method == "trackstar":
            rows += [
                _row(0, "opponent", rank, passages[n]["number"], round(-scores[n], 5))
                for rank, n in enumerate(order[k : k + 5], start=1)
            ]
        session.execute(insert(Retrieved), [row | {"result_id": result.id} for row in rows])


def _scores(method: str, prompt: Prompt, passages: Sequence[dict[str, Any]]) -> list[float]:
    asked = _words(f"{prompt.text} {prompt.target}")
    shared = [len(asked & passage["words"]) / len(asked) for passage in passages]
    if method == "bm25":
        return [share * 12 for share in shared]
    random, relation, fact = Random(f"{method}{prompt.external_id}"), prompt.relation, prompt.fact_id
    return [
        0.1 * share
        + 0.15 * (passage.get("relation") == relation)
        + 0.2 * (fact in passage["states"])
        + random.random() * 0.2
        for share, passage in zip(shared, passages, strict=True)
    ]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _row(
    result: int, side: str, rank: int, passage: int, score: float, correct: bool | None = None
) -> dict[str, Any]:
    return {
        "result_id": result, "side": side, "rank": rank, "passage_id": passage, "score": score, "correct": correct,
        "original_rank": None, "ais_score": None, "ais_window": None, "kind": None, "tail_patch": None,
    }  # fmt: skip


if (
    __name__ == "__main__"
):  # python tests/seeded.py sqlite:///FILE [prompts]: a store to look at while writing pages
    opened = open_store(sys.argv[1], migrate=True)
    with opened.session() as at:
        fill(at, prompts=int(sys.argv[2]) if len(sys.argv) > 2 else 300, passages=8_000, k=20)
