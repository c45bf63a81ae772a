"""The paper's results format: which field of a record stands in which column of the store. Pure.

One record is one prompt with what was retrieved for it (https://github.com/PAIR-code/pretraining-tda). Older files
use other names for the same things; both are read, and written back as they came. Some fields are ours: `model_answer`,
`target_probability`, `entailing_passage_ids` (which passages of the corpus state the fact), of tasks that choose `choices`,
`label` and `weighed_choices`, and of passages `_types`, `_tail_patches` and `_halves`.

A record comes back as it was by one rule: a value that a column gives back exactly lives in the column, anything else
(an unknown field, a null, `1` where the column holds `1.0`) is kept as it is in `Result.extra`, and the order of the
fields beside it.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "id", "count", "number", "truth", "texts", "weighed"]


@dataclass(frozen=True)
class RecordField:
    """A field of a record, under today's name and older ones, and the column it is kept in.

    Args:
        ours: no other tool's files need mean this by it; what is not of the kind is kept as it is, never refused.
    """

    names: tuple[str, ...]
    column: str
    kind: Kind
    ours: bool = False


PROMPT = (
    RecordField(("example_id", "trex_id"), "external_id", "id"),
    RecordField(("inputs_plaintext",), "text", "text"),
    RecordField(("targets_plaintext",), "target", "text"),
    RecordField(("task",), "task", "text"),
    RecordField(("fact_id",), "fact_id", "id"),
    RecordField(("relation",), "relation", "text"),
    RecordField(("subject",), "subject", "text"),
    RecordField(("aliases",), "aliases", "texts"),
    RecordField(("groundtruth", "ground_truth"), "ground_truth", "text"),
    RecordField(("c4_frequency", "fact_frequency"), "frequency", "count"),
    RecordField(("c4_frequency_bucket", "frequency_bucket"), "frequency_bucket", "count"),
    RecordField(("has_trex_sentence",), "stated", "truth"),
    RecordField(("choices",), "choices", "texts", ours=True),
    RecordField(("label",), "label", "count", ours=True),
)
OUTPUT = (
    RecordField(("8b_generations", "temperature_samples"), "samples", "texts"),
    RecordField(("8b_confidence", "model_confidence"), "confidence", "number"),
    RecordField(("is_8b_correct",), "correct", "truth"),
    RecordField(("model_answer",), "answer", "text"),
    RecordField(("target_probability",), "probability", "number"),
    RecordField(("weighed_choices",), "weighed", "weighed", ours=True),
)
SIDES = ("proponent", "opponent")
# Lists as long as `proponents`: what follows "proponent" in the name -> column and kind of the items.
LISTS: dict[str, tuple[str, Kind]] = {
    "s": ("text", "text"),
    "_ids": ("external_id", "id"),
    "_scores": ("score", "number"),
    "_correct": ("correct", "truth"),
    "_ais_scores": ("ais_score", "number"),
    "_ais_best_windows": ("ais_window", "text"),
    "_ranks": ("original_rank", "count"),
    "_types": ("kind", "text"),
    "_tail_patches": ("tail_patch", "number"),
    "_halves": ("halves", "count"),
}
RETRIEVED = tuple(column for column, _ in LISTS.values() if column not in ("text", "external_id"))
"""Columns of `Retrieved` that files bring and take."""
KEPT = (  # known, and no column gives them back as they came
    "query_set",
    "entailing_passage_ids",
    "chance_floor",
    "above_chance",
    "chance",
    "contrast",
    "explains",
)
COLUMNS: dict[str, tuple[str, str]] = {  # name of a field -> row and column
    **{name: ("prompt", field.column) for field in PROMPT for name in field.names},
    **{name: ("output", field.column) for field in OUTPUT for name in field.names},
    **{side + rest: (side, column) for side in SIDES for rest, (column, _) in LISTS.items()},
}


def unknown(names: Iterable[str]) -> dict[str, str]:
    """The names that are no field's, in order, each with the field whose name is nearest; empty where none is near."""
    found = {}
    for name in names:
        if name not in COLUMNS and name not in KEPT:
            near = difflib.get_close_matches(name.lower(), [*COLUMNS, *KEPT], n=1, cutoff=0.8)
            found[name] = near[0] if near else ""
    return found
