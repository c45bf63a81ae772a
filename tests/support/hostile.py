"""Hostile texts in every place that a text can stand in, short and long: runs, traces in every state, an import.

Short texts are shown whole, long ones are cut, and code that is right for the one has been wrong for the other: a
page once held half a character in what it cut, and its live stream never ended.
"""

from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.store import jobs, leases, traces
from app.store.corpora import PassageRecord, add_corpus, stream_passages
from app.store.models import get_model, put_outputs
from app.store.origins import Origin, describe
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.tables import Corpus, Result, Retrieved
from app.tracing.trace_results import (
    Completion,
    CompletionToken,
    Hit,
    Match,
    Provenance,
    Ranking,
    Step,
    TraceResult,
    TrainingResult,
)
from tests.support.seeded import HOSTILE, SCRIPT, add_run

PAGE = "Ghana pays in cedi, as everybody knows. " * 80
SHORT = [(name, text) for name, text in HOSTILE if name != "long"]
TEXTS = [
    *SHORT,
    *((f"{name}-first", f"{text} {PAGE}") for name, text in SHORT),
    *((f"{name}-last", f"{PAGE} {text}") for name, text in SHORT),
]
RUNS = ("hostile-long", "hostile-too")


def fill_hostile(session: Session) -> dict[str, list[str]]:
    """Two runs over prompts made of the texts, and traces that found them.

    Returns:
        `run`, `prompt`, `id` (of passages) and `trace_id`: what stands in the addresses of their pages.
    """
    corpus = add_corpus(
        session, "hostile-long", [PassageRecord(name, text, {"note": text}) for name, text in TEXTS]
    )
    describe(session, corpus, Origin(TEXTS[0][1], "https://<script>", SCRIPT, TEXTS[4][1]))
    numbers = {name: id_ for id_, name, _ in stream_passages(session, corpus.id)}
    ids = list(numbers.values())
    records = [
        PromptRecord(f"in-{name}", f"{text} The currency of Ghana is the", text, subject="Ghana", relation=text[:40],
                     aliases=[text[:60], "cedi"], stated_by=[name], extra={"note": text})
        for name, text in TEXTS
    ]  # fmt: skip
    prompt_set = add_prompts(session, "hostile-long", records, corpus=corpus)
    model = get_model(session, "demo-4m")
    describe(session, model, Origin(*(text for _, text in TEXTS[:4])))
    model.facts = {SCRIPT: TEXTS[3][1], "training": {SCRIPT: 1e9, "what": [SCRIPT]}}
    prompts = list_prompts(session, prompt_set.id)
    outputs = [
        {"prompt_id": prompt.id, "answer": text, "correct": False, "probability": 0.1, "confidence": 0.2,
         "samples": [text, SCRIPT, "cedi"]}
        for prompt, (_, text) in zip(prompts, TEXTS, strict=True)
    ]  # fmt: skip
    put_outputs(session, model.id, outputs)
    for slug in RUNS:
        run = add_run(
            session, "trackstar", f"Long {SCRIPT} {slug}", model, corpus, prompt_set, len(prompts), slug=slug
        )
        for position, prompt in enumerate(prompts):
            result = Result(
                run_id=run.id, prompt_id=prompt.id, position=position, top_score=1.0, extra={"x": SCRIPT}
            )
            session.add(result)
            session.flush()
            turned = (ids[position:] + ids[:position])[:5]
            rows = [_retrieved(result.id, side, rank, id_) for side in ("proponent", "opponent")
                    for rank, id_ in enumerate(turned, 1)]  # fmt: skip
            session.execute(insert(Retrieved), rows)
    slugs = [prompt.slug for prompt in prompts]
    asked = [answered_trace(session, numbers[name], text, corpus.id) for name, text in TEXTS]
    trained = _trained_without(session, corpus, ids)
    return {
        "/without/{id_}:id_": [trained],
        "/without/{id_}/cancel:id_": [trained],
        "run": [*RUNS, "hostile"],
        "prompt": slugs,
        "id": [str(id_) for id_ in ids],
        "trace_id": [*asked, *_other_states(session, asked[0], ids)],
    }


def _retrieved(result: int, side: str, rank: int, passage: int) -> dict[str, Any]:
    return {
        "result_id": result, "side": side, "rank": rank, "passage_id": passage, "score": 1.0 / rank, "correct": True,
        "original_rank": rank, "ais_score": 0.5, "ais_window": SCRIPT, "kind": "states", "tail_patch": 0.1,
    }  # fmt: skip


def answered_trace(session: Session, passage: int, text: str, corpus: int) -> str:
    """An answered question whose every text is the one given, with a contrast and a stretch found word for word."""
    completion = Completion(
        text=text,
        tokens=[CompletionToken(text=text[:9], start=0, end=len(text[:9]), probability=0.5)],
        probability=0.5,
    )
    found = Ranking(
        proponents=[Hit(rank=1, score=0.5, passage_id=passage)],
        opponents=[Hit(rank=1, score=-0.5, passage_id=passage)],
    )
    provenance = Provenance(
        model="m", model_sha256="x", index="i", index_sha256="y", corpus="c", corpus_id=corpus, corpus_sha256="z",
        passages=2, method={"note": SCRIPT}, search="exact", code="0", device="cpu", threads=1, answered_together=1,
        timings={"total": 1.0},
    )  # fmt: skip
    result = TraceResult(
        completion=completion, generated=True, samples=[text], joined=f"{text}{text}",
        rankings={"trackstar": found, "bm25": found}, sides=[found, found], contrast=completion, provenance=provenance,
        verbatim=[Match(start=0, end=len(text), passages=1, passage_ids=[passage])],
    )  # fmt: skip
    question = _question(text)
    return answered(session, "trace", question, result.model_dump(mode="json"))


def _other_states(session: Session, asked: str, ids: list[int]) -> list[str]:
    training = TrainingResult(
        steps=[Step(passage_id=id_, change=1.5) for id_ in ids], control=[Step(passage_id=ids[0], change=0.1)],
        probability=0.5, settings={"optimizer": SCRIPT, "learning_rate": 0.1, "steps": 1}, timings={"total": 1.0},
    )  # fmt: skip
    request = {"kind": "train", "trace": asked, "passages": ids, "control": 1, "sha256": {}}
    trained = answered(session, "steps", request, training.model_dump(mode="json"), asked)
    failed = jobs.add(session, "trace", _question(HOSTILE[4][1] + PAGE), limit=1000).id
    leases.claim(session, "tester", 1)
    leases.fail(
        session, failed, "tester", {"message": HOSTILE[4][1] + SCRIPT, "remedy": PAGE, "field": "prompt"}
    )
    cancelled = jobs.add(session, "trace", _question(HOSTILE[0][1] + PAGE), limit=1000).id
    jobs.cancel(session, cancelled)
    return [trained, failed, cancelled]


def _trained_without(session: Session, corpus: Corpus, ids: list[int]) -> str:
    """A training without passages that is done, whose every text is hostile."""
    request = {
        "kind": "without", "outcome": SCRIPT, "corpus_id": corpus.id, "corpus": corpus.name, "ids": ids, "never_read": 1,
        "prompts": [{"id": SCRIPT, "prompt": PAGE, "completion": SCRIPT}], "corpus_sha256": SCRIPT, "only": SCRIPT,
        "predicted": [{"method": "trackstar", "total": 1e300, "known": 1, "change": -1.0, "low": -2.0, "high": 0.0}],
        "config": {SCRIPT: SCRIPT},
    }  # fmt: skip
    said = {"before": -1.0, "after": -2.0, "says_before": SCRIPT, "says_after": PAGE}
    job = jobs.add(session, "without", request, limit=1000)
    leases.claim(session, "tester", 1, ["without"])
    result = {"prompts": [said], "passages": 9, "left_out": len(ids), "versions": {SCRIPT: SCRIPT}}
    assert leases.finish(session, job.id, "tester", result)
    return job.id


def answered(
    session: Session, kind: str, request: dict[str, Any], result: dict[str, Any], parent: str | None = None
) -> str:
    jobs.add(session, kind, request, parent=parent, limit=1000)
    (job,) = leases.claim(session, "tester", 1)
    if kind == "trace":
        assert leases.finish(session, job.id, "tester")
        traces.keep(session, job, result)
    else:
        assert leases.finish(session, job.id, "tester", result)
    return job.id


def _question(text: str) -> dict[str, Any]:
    return {
        "kind": "trace", "prompt": text, "completion": text, "span": None, "contrast": text, "model": "m", "index": "i",
        "k": 10, "opponents": True, "samples": 1, "sha256": {"model": "x", "index": "y"},
    }  # fmt: skip
