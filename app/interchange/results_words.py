"""The results format in words: what each field of `results_fields` means, in which unit, and an example of it."""

from collections.abc import Iterator
from typing import Any

from app.interchange.results_fields import KEPT, LISTS, OUTPUT, PROMPT, SIDES, Kind

KINDS: dict[Kind, str] = {
    "text": "text",
    "id": "text or whole number",
    "count": "whole number from 0",
    "number": "number",
    "truth": "true or false (0 and 1 are read too)",
    "texts": "list of texts",
    "weighed": "as `startrail export` writes it",
}
# name of today -> what it means, and its value in the example
FIELDS: dict[str, tuple[str, Any]] = {
    "example_id": ("Which prompt this is; files with equal ids, prompts and targets share it.", "capital-mali"),
    "inputs_plaintext": ("**Must be there.** The prompt, as the model reads it.", "The capital of Mali is"),
    "targets_plaintext": ("**Must be there.** The output that is explained.", "Bamako"),
    "task": ("`fact`, `commonsense`, `arithmetic`, `open_ended`, or a word of yours.", "fact"),
    "fact_id": ("Which fact is asked for; several prompts may ask for one.", "mali-capital"),
    "relation": ("What the fact says of its subject.", "capital"),
    "subject": ("Whom the fact is about, as it is written.", "Mali"),
    "aliases": ("Other names of the target that count as right.", ["Bamako, Mali"]),
    "groundtruth": ("What is right, where the target is what a model said.", "Bamako"),
    "c4_frequency": ("In how many passages of the corpus subject and object stand together.", 1200),
    "c4_frequency_bucket": ("The frequency's bucket: its power of ten, or a number of yours.", 3),
    "has_trex_sentence": ("Whether some passage of the corpus states the fact.", True),
    "choices": ("What a task that chooses offers.", ["Bamako", "Ségou"]),
    "label": ("Which of the choices is right, from 0.", 0),
    "8b_generations": ("Answers sampled from the model.", ["Bamako.", "Bamako", "Timbuktu"]),
    "8b_confidence": ("How sure the model is of its answer, 0 to 1.", 0.67),
    "is_8b_correct": ("Whether the model's answer is right.", True),
    "model_answer": ("What the model answered.", "Bamako"),
    "target_probability": ("The target's probability given the prompt, 0 to 1.", 0.61),
    "weighed_choices": ("What the model made of each choice.", None),
    "proponents": ("Texts of the passages for the target, most influential first.", ["Bamako is the capital of Mali."]),
    "proponent_ids": ("Their ids in the corpus.", ["c4-17"]),
    "proponent_scores": ("Their scores, of whatever unit the method has.", [0.41]),
    "proponent_correct": ("Whether each states the fact.", [True]),
    "proponent_ais_scores": ("How strongly each entails the fact, 0 to 1.", [0.98]),
    "proponent_ais_best_windows": ("The sentences that entail it most.", ["Bamako is the capital of Mali."]),
    "proponent_ranks": ("Their ranks in a longer list that these are from, from 1.", [1]),
    "proponent_types": ("What each is to the fact: `both`, `subject`, `target`, …", ["both"]),
    "proponent_tail_patches": ("Percentage points that one training step on it adds to the target's probability.", [6.4]),
    "proponent_halves": ("Among how many of the two halves of the projection's first ten it stands, 0 to 2.", [2]),
    "query_set": ("Name of the set that the prompt is from.", "my prompts"),
    "entailing_passage_ids": ("Ids of all passages that state the fact.", ["c4-17"]),
    "chance_floor": ("The score that the best of as many unrelated passages reaches.", 0.12),
    "above_chance": ("How many proponents lie above it.", 1),
    "chance": ("The bell of all scores, as `startrail export` writes it.", None),
    "contrast": ("A second output: why the target rather than this?", None),
    "explains": ("`said` where the target is what the model said; else `target`.", "target"),
}  # fmt: skip


def rows() -> Iterator[tuple[str, str, str, str]]:
    """(name, older names, kind, meaning) of every field, in the order of a record; opponents are said to be like proponents."""
    for field in (*PROMPT, *OUTPUT):
        yield field.names[0], ", ".join(field.names[1:]), KINDS[field.kind], FIELDS[field.names[0]][0]
    side = SIDES[0]
    for rest, (_, kind) in LISTS.items():
        yield side + rest, "", f"list, each {KINDS[kind]}", FIELDS[side + rest][0]
    for name in KEPT:
        yield name, "", "any; kept as it is", FIELDS[name][0]


def example() -> dict[str, Any]:
    """A record that has every field, and one that the format does not know."""
    record = {name: value for name, (_, value) in FIELDS.items() if value is not None}
    return record | {"opponents": ["Timbuktu lies in Mali."], "opponent_scores": [-0.2], "my_note": "kept"}
