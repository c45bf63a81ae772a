"""Records of the paper's results format to test with: one like theirs, and any that a file may hold."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from app.interchange.results_fields import LISTS, SIDES


def paper_record(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A record with every field that the paper's files have."""
    return {
        "example_id": f"trex_groundtruth:{number:015d}",
        "query_set": "trex",
        "inputs_plaintext": f"Painter {number} was born in the city of:",
        "targets_plaintext": "Paris",
        "proponents": ["He was born in Paris.", "A mural for any room.", "Paris in spring."],
        "proponent_ids": [f"c4:{number}", "c4:mural", "c4:spring"],
        "proponent_scores": [0.0504, 0.0501, 0.0499],
        "proponent_correct": [False, True, False],
        "proponent_ais_scores": [0.9883, 0.0007, 0.5],
        "proponent_ais_best_windows": ["born in Paris", None, "Paris"],
        "proponent_ranks": [0, 1, 7],
        "opponents": ["Nothing of the kind."],
        "opponent_ids": ["c4:none"],
        "opponent_scores": [-0.02],
        "fact_id": f"f{number}",
        "relation": "place of birth",
        "8b_generations": ["Paris", "Paris", "Lyons"],
        "8b_confidence": 0.5,
        "is_8b_correct": True,
        "c4_frequency": 212481,
        "c4_frequency_bucket": 5,
        "has_trex_sentence": True,
        **changes,
    }


OLD_NAMES = {
    "example_id": "trex_id", "8b_generations": "temperature_samples", "8b_confidence": "model_confidence",
    "c4_frequency": "fact_frequency", "c4_frequency_bucket": "frequency_bucket", "groundtruth": "ground_truth",
}  # fmt: skip


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


# Any text at all: null bytes, lone surrogates, and the character that the store escapes them with.
texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(["", "\0", "\ud800", "a\udfffb", "\uf8f00000", "</script>", "🇬🇭", "e\u0301", "Zürich"]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-5, 5),
    st.sampled_from([0.0, -0.0, 1, 1.0, 1e300]),
)
counts = st.integers(0, 9) | st.just(2.0)
_ITEMS = {"text": texts | st.none(), "number": numbers | st.none(), "truth": st.booleans() | st.none()}
_ITEMS |= {"count": counts | st.none(), "id": texts | st.integers(0, 9)}


@st.composite
def sides(draw: st.DrawFn, side: str) -> dict[str, Any]:
    """The lists of one side: all of one length, some left out, some null."""
    length = draw(st.integers(0, 4))
    found: dict[str, Any] = {}
    for rest, (column, kind) in LISTS.items():
        items = texts if column == "text" else _ITEMS[kind]
        if column == "text" or draw(st.booleans()):
            found[side + rest] = draw(st.lists(items, min_size=length, max_size=length))
        elif draw(st.booleans()):
            found[side + rest] = None
    return found


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """One record: required fields, any of the others under any of their names, and unknown ones, in any order."""
    record: dict[str, Any] = {"inputs_plaintext": draw(texts), "targets_plaintext": draw(texts)}
    fields: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("example_id", "trex_id", "fact_id"), texts | st.integers(0, 3) | st.none()),
        **dict.fromkeys(("task", "relation", "subject", "model_answer"), texts | st.none()),
        **dict.fromkeys(("groundtruth", "ground_truth"), texts | st.none()),
        **dict.fromkeys(("8b_generations", "temperature_samples", "aliases"), st.lists(texts, max_size=3) | st.none()),
        **dict.fromkeys(("8b_confidence", "model_confidence", "target_probability"), numbers | st.none()),
        **dict.fromkeys(("c4_frequency", "fact_frequency", "frequency_bucket"), counts | st.none()),
        **dict.fromkeys(("is_8b_correct", "has_trex_sentence"), st.booleans() | st.none()),
    }  # fmt: skip
    for name, values in fields.items():
        if draw(st.booleans()):
            record[name] = draw(values)
    for side in SIDES:
        if draw(st.booleans()):
            record.update(draw(sides(side)))
    unknown = st.dictionaries(texts.filter(lambda name: name != "end_of_export"), json_values, max_size=2)
    record = {**draw(unknown), **record}
    order = draw(st.permutations(list(record)))
    return {name: record[name] for name in order}
