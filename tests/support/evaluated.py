"""A store with a dozen evaluated runs of known quality: for tests of figures, tables and charts.

Passages are short sentences about made-up capitals; each run puts a passage that states the fact first with its own
chance, so that figures differ from run to run in a way that is known. No model is needed.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.evaluation.classify import classify_run
from app.evaluation.report import evaluate_runs
from app.store.corpora import PassageRecord, add_corpus, stream_passages
from app.store.evaluations import evaluated, save_figures
from app.store.models import put_outputs, register_model
from app.store.naming import slugify
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.runs import list_runs
from app.store.tables import Corpus, Model, PromptSet, Result, Retrieved, Run
from app.words.methods import method_label, point_name

SETTINGS = {"optimizer": "adafactor", "learning_rate": 0.003, "steps": 1}
QUALITY = {  # method -> (chance that a place holds a passage that states the fact, mean tail-patch)
    "bm25": (0.6, 1.8),
    "gradient-dot": (0.05, 0.6),
    "gradient-cosine": (0.2, 1.3),
    "+V": (0.3, 1.9),
    "+V+R_train": (0.35, 2.4),
    "trackstar": (0.45, 2.9),
    "random": (0.0, 0.0),
}
LAMBDAS = (0.1, 0.5, 0.9)
STEPS = (100, 200)


def fill(session: Session, *, prompts: int = 24, evaluate: bool = True) -> list[Run]:
    """Two tasks, runs of every method, of TrackStar over λ, and of two checkpoints."""
    rng = Random(0)
    facts = [f"capital:land-{n}" for n in range(prompts)]
    passages = [
        PassageRecord(
            f"{fact}/{copy}", f"The capital of Land {n} is Town {n}, as {copy} said.", {"states": [fact]}
        )
        for n, fact in enumerate(facts)
        for copy in range(1 + n % 5)
    ]
    passages += [PassageRecord(f"other-{n}", f"Nobody in Land {n} knew.", {"states": []}) for n in range(20)]
    corpus = add_corpus(session, "atlas", passages)
    prompt_set = add_prompts(session, "atlas", _prompts(passages, prompts), corpus=corpus)
    asked = list_prompts(session, prompt_set.id)
    made = []
    for name in ("atlas-1m", *(f"atlas-1m-step-{step}" for step in STEPS)):
        model = register_model(session, name, parameters=1_000_000)
        put_outputs(
            session,
            model.id,
            [
                {"prompt_id": p.id, "answer": p.target, "correct": rng.random() < 0.7, "probability": 0.5,
                 "confidence": rng.random(), "samples": []}
                for p in asked
            ],
        )  # fmt: skip
        methods = QUALITY if name == "atlas-1m" else {"bm25": (0.6, 0.8), "trackstar": (0.3, 0.9)}
        for method, quality in methods.items():
            made.append(_run(session, method, model, corpus, prompt_set, quality))
        if name == "atlas-1m":
            for mixing in LAMBDAS:
                quality = (0.45 + mixing / 4, 2.9 - mixing)
                made.append(_run(session, "trackstar", model, corpus, prompt_set, quality, mixing=mixing))
    if evaluate:
        for run in made:
            classify_run(session, run)
        evaluate_runs(session, list_runs(session))
    return made


def _prompts(passages: Sequence[PassageRecord], count: int) -> Iterable[PromptRecord]:
    for n in range(count):
        fact = f"capital:land-{n}"
        stated_by = [each.external_id for each in passages if fact in each.meta["states"]]
        relation = "capital" if n % 3 else "seat"
        yield PromptRecord(f"land-{n}", f"The capital of Land {n} is", f"Town {n}", subject=f"Land {n}",
                           relation=relation, fact_id=fact, stated_by=stated_by)  # fmt: skip
    for n in range(6):
        yield PromptRecord(
            f"sum-{n}", f"{n} plus one is", str(n + 1), task="arithmetic", stated_by=[passages[n].external_id]
        )


def _run(
    session: Session,
    method: str,
    model: Model,
    corpus: Corpus,
    prompt_set: PromptSet,
    quality: tuple[float, float],
    *,
    mixing: float | None = None,
) -> Run:
    whole = method in ("trackstar", "+V+R_train")
    name = method if mixing is None else f"{method}-{mixing:g}"
    slug = name.replace("+", "-").replace("_", "-").strip("-").lower()
    slug += "" if model.name == "atlas-1m" else model.name.removeprefix("atlas-1m")
    configuration: dict[str, Any] = {
        "method": {"second_moments": "factored" if whole else "none", "unit_norm": whole}
    }
    if whole:
        configuration["hessian"] = {"mixing": mixing or 0.0}
    run = Run(
        slug=slug, name=slug if slug != "bm25" else "BM25", method=name, model_id=model.id, corpus_id=corpus.id,
        prompt_set_id=prompt_set.id, prompt_count=30, configuration=configuration,
        metrics={"tail_patch_settings": SETTINGS},
    )  # fmt: skip
    session.add(run)
    session.flush()
    _retrieve(
        session, run, quality, {external: id_ for id_, external, _ in stream_passages(session, corpus.id)}
    )
    return run


def _retrieve(session: Session, run: Run, quality: tuple[float, float], ids: dict[str, int]) -> None:
    rng = Random(run.slug)
    chance, patch = quality
    for prompt in list_prompts(session, run.prompt_set_id):
        good = [
            id_
            for external, id_ in ids.items()
            if prompt.fact_id and external.startswith(f"{prompt.fact_id}/")
        ]
        rest = [id_ for id_ in ids.values() if id_ not in good]
        rng.shuffle(rest)
        ranked = [good.pop() if good and rng.random() < chance else rest.pop() for _ in range(10)]
        stating = {id_ for external, id_ in ids.items() if external.startswith(f"{prompt.fact_id}/")}
        first = next((rank for rank, id_ in enumerate(ranked, 1) if id_ in stating), None)
        result = Result(
            run_id=run.id, prompt_id=prompt.id, position=prompt.position, first_correct_rank=first
        )
        session.add(result)
        session.flush()
        rows = [
            {
                "result_id": result.id, "side": "proponent", "rank": rank, "passage_id": id_, "score": 1 / rank,
                "correct": id_ in stating,
                "tail_patch": rng.gauss(patch / rank**0.3, 1.0) if prompt.task == "fact" else None,
            }
            for rank, id_ in enumerate(ranked, 1)
        ]  # fmt: skip
        session.execute(insert(Retrieved), rows)


SWITCHED = (("d", 1_024), ("d", 16_384), ("damping", 0.1), ("damping", 10.0), ("seed", 1), ("seed", 2))
"""Points of the other curves, beside d = 4,096, damping 1 and seed 0; of d = 16,384 R had too few passages."""
OWN = {"groups": 2, "projection_dim": 32, "damping": 1.0, "seed": 0}


def switch(session: Session) -> None:
    """To a store that is filled, runs at other values of single switches, with +V+R_train's figures moved a little."""
    base = next(run for run in list_runs(session) if run.method == "+V+R_train")
    base.configuration = _configured(base, {})
    [figures] = [figures for run, figures in evaluated(session, "fact") if run.id == base.id]
    for number, (axis, value) in enumerate(SWITCHED, 1):
        name = point_name("trackstar", axis, value)
        run = Run(
            slug=slugify(name), name=method_label(name), method=name, model_id=base.model_id, corpus_id=base.corpus_id,
            prompt_set_id=base.prompt_set_id, prompt_count=base.prompt_count,
            configuration=_configured(base, {"projection_dim": round((value / 4) ** 0.5)} if axis == "d" else {axis: value}),
        )  # fmt: skip
        session.add(run)
        session.flush()
        overall = {
            measure: {**found, "mean": found["mean"] + number / 100}
            for measure, found in figures["overall"].items()
        }
        save_figures(session, run, {"fact": {**figures, "overall": overall}}, base.metrics)


def _configured(run: Run, changes: dict[str, Any]) -> dict[str, Any]:
    known = run.configuration
    return {"method": known["method"] | OWN | changes, "hessian": {"mixing": 0.0, "rows_train": 2_048}}
