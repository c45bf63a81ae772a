"""Results files in the paper's format, made up: for tests of loading and exporting."""

import json
from collections.abc import Sequence
from typing import Any

CITIES = ("Paris", "Lyon", "Nantes", "Rouen", "Dijon", "Lille")


def record(number: int, method: str = "trackstar", *, passages: int = 4, size: int = 0) -> dict[str, Any]:
    """One example; methods share prompts and passages and rank them differently."""
    city = CITIES[number % len(CITIES)]
    order = list(range(passages)) if method == "trackstar" else list(range(passages))[::-1]
    texts = [
        f"Passage {n} about {city} and painter {number}. {'Filling. ' * (size // 9)}".strip() for n in order
    ]
    return {
        "example_id": f"trex_groundtruth:{number:09d}",
        "query_set": "trex_sample",
        "inputs_plaintext": f"Painter number {number} was born in the city of:",
        "targets_plaintext": city,
        "proponents": texts,
        "proponent_ids": [f"c4:{number}-{n}" for n in order],
        "proponent_scores": [round(0.5 - 0.05 * rank, 4) for rank in range(passages)],
        "proponent_ais_scores": [0.98 if n == 0 else 0.01 for n in order],
        "fact_id": f"fact-{number}",
        "relation": "place of birth",
        "8b_generations": [city, "Rome"],
        "8b_confidence": 0.5 + number % 2 / 4,
        "is_8b_correct": number % 3 != 0,
        "c4_frequency": 10**number % 9_999,
        "c4_frequency_bucket": number % 6,
        "unknown_field": {"kept": [1, None, "as it is"]},
    }


def jsonl(records: Sequence[dict[str, Any]]) -> bytes:
    """The records as a file."""
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in records)
