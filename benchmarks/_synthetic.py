"""A store of any size with made-up but varied prompts: for measuring pages, not for reading."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from rich.progress import track
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store, open_store
from app.store.full_text import catch_up
from app.store.models import register_model
from app.store.tables import PromptSet, Retrieved, Run

RELATIONS = [f"relation {n}" for n in range(28)]
TASKS = ["fact"] * 7 + ["commonsense", "arithmetic", "open_ended"]
PASSAGES = 4_000
WITH_PASSAGES = 400  # prompts whose retrieved passages are there; the list never reads them
K = 20
CHUNK = 20_000


def synthetic_store(home: Path, prompts: int) -> Path:
    """A home with one run over `prompts` prompts."""
    home.mkdir(parents=True, exist_ok=True)
    store = open_store(f"sqlite:///{(home / 'startrail.db').resolve()}", migrate=True)
    random = Random(prompts)
    with store.session() as session:
        corpus = add_corpus(session, "synthetic", _passages(random))
        model = register_model(session, "synthetic")
        prompt_set = PromptSet(name="synthetic", corpus_id=corpus.id)
        session.add(prompt_set)
        session.flush()
        run = Run(
            slug="run-0", name="Synthetic", method="trackstar", model_id=model.id, corpus_id=corpus.id,
            prompt_set_id=prompt_set.id, prompt_count=prompts, configuration={}, metrics={},
        )  # fmt: skip
        session.add(run)
        session.flush()
        ids = (model.id, prompt_set.id, run.id)
    for start in track(range(0, prompts, CHUNK), description=f"A run of {prompts:,} prompts"):
        _add(store, ids, range(start, min(prompts, start + CHUNK)), random)
    catch_up(store.engine)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    store.engine.dispose()
    return home


def _passages(random: Random) -> Iterator[PassageRecord]:
    words = [f"word{n}" for n in range(3_000)]
    for n in range(PASSAGES):
        said = " ".join(random.choices(words, k=60))
        yield PassageRecord(f"passage-{n}", f"Subject {n} has object {n % 97}: {said}.")


def _add(store: Store, ids: tuple[int, int, int], numbers: range, random: Random) -> None:
    """Rows as SQLite takes them, past the mapping to objects: a million of them in a minute."""
    model, prompt_set, run = ids
    for table, rows in (
        ("prompts", [_prompt(n, prompt_set, random) for n in numbers]),
        ("outputs", [_output(n, model, random) for n in numbers]),
        ("results", [_result(n, run, random) for n in numbers]),
    ):
        names = ", ".join(rows[0])
        places = ", ".join(f":{name}" for name in rows[0])
        with store.engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)
    if numbers.start < WITH_PASSAGES:
        with store.session() as session:
            _retrieve(session, numbers, random)


def _prompt(n: int, prompt_set: int, random: Random) -> dict[str, Any]:
    relation = random.choice(RELATIONS)
    frequency = random.choice([0, 1, 1, 2, 3, 5, 8, 13, 40])
    return {
        "id": n + 1, "prompt_set_id": prompt_set, "position": n, "external_id": f"prompt-{n}", "slug": f"prompt-{n}",
        "task": random.choice(TASKS), "text": f"The {relation} of subject {n} with rare word {n % 4999} is",
        "target": f"object {n % 97}", "subject": f"subject {n}", "relation": relation, "aliases": "[]",
        "frequency": frequency, "frequency_bucket": frequency.bit_length(), "extra": "{}",
    }  # fmt: skip


def _output(n: int, model: int, random: Random) -> dict[str, Any]:
    right = random.random() < 0.7
    return {
        "model_id": model, "prompt_id": n + 1, "answer": f"object {n % 97}" if right else "something else",
        "correct": right, "probability": random.random(), "confidence": random.random(), "samples": '["object"]',
    }  # fmt: skip


def _result(n: int, run: int, random: Random) -> dict[str, Any]:
    rank = random.choice([None, 1, 1, 2, 3, 7])
    return {
        "id": n + 1, "run_id": run, "prompt_id": n + 1, "position": n, "top_score": random.random(),
        "first_correct_rank": rank, "best_ais": random.random(), "tail_patch": random.gauss(1, 2), "extra": "{}",
    }  # fmt: skip


def _retrieve(session: Session, numbers: range, random: Random) -> None:
    rows = [
        {
            "result_id": n + 1, "side": "proponent", "rank": rank, "passage_id": passage, "score": 1 / rank,
            "correct": rank == 2, "kind": "relation", "tail_patch": random.gauss(1, 2),
        }
        for n in numbers[:WITH_PASSAGES]
        for rank, passage in enumerate(random.sample(range(1, PASSAGES + 1), K), start=1)
    ]  # fmt: skip
    session.execute(insert(Retrieved), rows)
