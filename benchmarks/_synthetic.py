"""A store of any size with made-up but varied prompts: for measuring pages, not for reading."""

from collections.abc import Iterator
from random import Random
from typing import Any

from rich.progress import track
from sqlalchemy.orm import Session

from app.evaluation.report import evaluate_runs
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import open_store
from app.store.full_text import NEW_TEXTS, catch_up
from app.store.models import register_model
from app.store.runs import list_runs
from app.store.tables import Output, Prompt, PromptSet, Result, Retrieved, Run
from app.store.writing import insert_rows

RELATIONS = [f"relation {n}" for n in range(28)]
TASKS = ["fact"] * 7 + ["commonsense", "arithmetic", "open_ended"]
PASSAGES = 4_000
WITH_PASSAGES = 400  # prompts of which all retrieved passages are there, of the others the first; the list never reads them
K = 20
CHUNK = 20_000


def synthetic_store(url: str, prompts: int, passages: int = PASSAGES) -> None:
    """A migrated store with one run over `prompts` prompts, which found one passage each of so many."""
    store = open_store(url, migrate=True)
    random = Random(prompts)
    with store.session() as session:
        bar = track(_passages(random, passages), f"{passages:,} passages", passages)
        corpus = add_corpus(session, "synthetic", bar)
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
        with store.session() as session:
            _add(session, ids, range(start, min(prompts, start + CHUNK)), random, passages)
    catch_up(store.engine)
    with store.session() as session:
        evaluate_runs(session, list_runs(session))
    with store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
            "VACUUM ANALYZE" if store.engine.dialect.name == "postgresql" else "ANALYZE"
        )
    store.engine.dispose()


def _passages(random: Random, passages: int) -> Iterator[PassageRecord]:
    """Of sixty words, as web pages have some; of many passages sentences, twelve to twenty words with the first ones."""
    stream = random.choices([f"word{n}" for n in range(3_000)], k=100_000)
    shortest, longest = (60, 60) if passages == PASSAGES else (7, 15)
    for n in range(passages):
        start, length = random.randrange(len(stream) - longest), random.randint(shortest, longest)
        said = " ".join(stream[start : start + length])
        yield PassageRecord(f"passage-{n}", f"Subject {n} has object {n % 97}: {said}.")


def _add(session: Session, ids: tuple[int, int, int], numbers: range, random: Random, passages: int) -> None:
    """Rows as an import writes them: a million of them in a minute."""
    model, prompt_set, run = ids
    for table, rows in (
        (Prompt, [_prompt(n, prompt_set, random) for n in numbers]),
        (Output, [_output(n, model, random) for n in numbers]),
        (Result, [_result(n, run, random) for n in numbers]),
    ):
        insert_rows(session, table, list(rows[0]), [tuple(row.values()) for row in rows])
    session.info[NEW_TEXTS] = True
    _retrieve(session, numbers, random, passages)


def _prompt(n: int, prompt_set: int, random: Random) -> dict[str, Any]:
    relation = random.choice(RELATIONS)
    frequency = random.choice([0, 1, 1, 2, 3, 5, 8, 13, 40])
    return {
        "id": n + 1, "prompt_set_id": prompt_set, "position": n, "external_id": f"prompt-{n}", "slug": f"prompt-{n}",
        "task": random.choice(TASKS), "text": f"The {relation} of subject {n} with rare word {n % 4999} is",
        "target": f"object {n % 97}", "subject": f"subject {n}", "relation": relation, "aliases": [],
        "frequency": frequency, "frequency_bucket": frequency.bit_length(), "extra": {},
    }  # fmt: skip


def _output(n: int, model: int, random: Random) -> dict[str, Any]:
    right = random.random() < 0.7
    return {
        "id": n + 1, "model_id": model, "prompt_id": n + 1, "answer": f"object {n % 97}" if right else "something else",
        "correct": right, "probability": random.random(), "confidence": random.random(), "samples": ["object"],
    }  # fmt: skip


def _result(n: int, run: int, random: Random) -> dict[str, Any]:
    rank = random.choice([None, 1, 1, 2, 3, 7])
    return {
        "id": n + 1, "run_id": run, "prompt_id": n + 1, "position": n, "top_score": random.random(),
        "first_correct_rank": rank, "best_ais": random.random(), "tail_patch": random.gauss(1, 2), "extra": {},
    }  # fmt: skip


def _retrieve(session: Session, numbers: range, random: Random, passages: int) -> None:
    rows = [
        {
            "result_id": n + 1, "side": "proponent", "rank": rank, "passage_id": passage, "score": 1 / rank,
            "correct": random.random() < 0.4, "kind": "relation", "tail_patch": random.gauss(1, 2),
        }
        for n in numbers
        for rank, passage in enumerate(_passages_of(n, random, passages), start=1)
    ]  # fmt: skip
    insert_rows(session, Retrieved, list(rows[0]), [tuple(row.values()) for row in rows])


def _passages_of(n: int, random: Random, passages: int) -> list[int]:
    return random.sample(range(1, passages + 1), K if n < WITH_PASSAGES else 1)
