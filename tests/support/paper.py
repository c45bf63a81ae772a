"""Two results files in the paper's format about the same prompts, with every field that its viewer shows.

Ninety ordinary examples whose numbers follow from their own number, one whose passages are attacks and accidents, and
one with two thousand proponents. Tests count in the records what the pages must say.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.interchange.results import import_results
from app.store.engine import open_store
from tests.support.pair_files import record
from tests.support.seeded import HOSTILE, SCRIPT

ORDINARY = 90
PASSAGES = 8
MANY = 2_000
LATE = 1_500  # rank of the only passage among the many that states the fact
TWIN = 4  # rank of the one that nearly repeats the one before it


@lru_cache
def records(method: str) -> list[dict[str, Any]]:
    """The file of one method: `trackstar` or `bm25`."""
    return [*(_ordinary(n, method) for n in range(ORDINARY)), _hostile(), _many()]


def load(url: str, folder: Path) -> None:
    """Both files into the store at `url`, as `startrail import` does it."""
    store = open_store(url)
    for method in ("trackstar", "bm25"):
        path = folder / f"c4_trex_{method}.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in records(method)))
        with store.session() as session:
            import_results(session, path, run=f"paper {method}")
    store.engine.dispose()


def stated(number: int) -> bool:
    """Whether a proponent of the ordinary example states its fact."""
    return number % 4 != 3


def _ordinary(number: int, method: str) -> dict[str, Any]:
    made = record(number, method, passages=PASSAGES)
    correct = [stated(number) and id_.endswith("-0") for id_ in made["proponent_ids"]]
    city = made["targets_plaintext"]
    return made | {
        "has_trex_sentence": stated(number),
        "groundtruth": city if number % 5 else "Reims",
        "8b_generations": [city] * 6 + ["Rome", "Rome", "Oslo", "Paris, Texas"],
        "proponent_scores": [round(0.9 - number / 200 - 0.05 * rank, 4) for rank in range(PASSAGES)],
        "proponent_correct": correct,
        "proponent_ais_scores": [0.98 if each else 0.02 for each in correct],
        "proponent_ais_best_windows": [
            text.split(" and ")[0] if each else ""
            for text, each in zip(made["proponents"], correct, strict=True)
        ],
        "proponent_ranks": [rank * 3 + 2 for rank in range(PASSAGES)],
    }


def _hostile() -> dict[str, Any]:
    texts = [text for _, text in HOSTILE]
    return {
        "example_id": "trex_groundtruth:hostile",
        "inputs_plaintext": f"The currency of Ghana {SCRIPT} is the",
        "targets_plaintext": "cedi",
        "subject": "Ghana",
        "relation": "</mark>currency",
        "8b_generations": [SCRIPT, "cedi", "\0", "\ud800"],
        "proponents": texts,
        "proponent_ids": [f"hostile:{name}" for name, _ in HOSTILE],
        "proponent_scores": [1 - n / 10 for n in range(len(texts))],
        "note": SCRIPT,
    }


def _many() -> dict[str, Any]:
    texts = [
        f"House {n} on street {n * 7}: a painter wrote {n * 13} letters to {n * 17} friends in Nantes."
        for n in range(1, MANY + 1)
    ]
    texts[TWIN - 1] = texts[TWIN - 2].removesuffix(".") + " !"
    return {
        "example_id": "trex_groundtruth:many",
        "inputs_plaintext": "The painter with many letters lived in the city of",
        "targets_plaintext": "Nantes",
        "relation": "residence",
        "proponents": texts,
        "proponent_ids": [f"many:{n}" for n in range(1, MANY + 1)],
        "proponent_scores": [round(1 / rank, 6) for rank in range(1, MANY + 1)],
        "proponent_correct": [rank == LATE for rank in range(1, MANY + 1)],
    }
