"""Prompt sets as they are published: how a row of COPA, PIQA, HellaSwag and others becomes a prompt with its target.

Each entry takes a record and gives one with the fields of our prompts; what it does not use is kept. Where there are
choices, the right one is the target; all of them stand in `choices`, the number of the right one in `label`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import UserError
from app.interchange.records import Line


class CannotBeAsked(Exception):
    """This row makes no prompt; says why."""


@dataclass(frozen=True)
class DatasetPreset:
    """One published form.

    Args:
        id: the field with the ids; the rows are numbered where they have none.
        shape: the record's prompt; raises `CannotBeAsked` where it makes none.
    """

    name: str
    label: str
    task: str
    shape: Callable[[Line], dict[str, Any]]
    id: str = "id"

    def __call__(self, line: Line) -> Line:
        """The line with the fields of a prompt."""
        made = self.shape(line)
        ids = {"id": line.record[self.id]} if self.id in line.record else {}
        kept = {name: value for name, value in line.record.items() if name not in ("id", self.id)}
        return Line(line.file, line.number, {**kept, **ids, "task": self.task, **made})


def preset(name: str) -> DatasetPreset:
    """The preset of this name.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(
            f"There is no preset “{name}”.", field="preset", remedy=f"Use one of {', '.join(PRESETS)}."
        )
    return PRESETS[name]


def _copa(line: Line) -> dict[str, Any]:
    premise = line.text("premise").strip().rstrip(".")
    word = {"cause": "because", "effect": "so"}.get(line.text("question"))
    if word is None:
        raise line.wrong("question", "It is neither cause nor effect.", "Give COPA as it is published.")
    choices = [_lower(line.text(name)) for name in ("choice1", "choice2")]
    return {"prompt": f"{premise} {word}", **_chosen(choices, _label(line, "label"))}


def _piqa(line: Line) -> dict[str, Any]:
    choices = [line.text(name) for name in ("sol1", "sol2")]
    return {"prompt": f"Goal: {line.text('goal')}\nSolution:", **_chosen(choices, _label(line, "label"))}


def _hellaswag(line: Line) -> dict[str, Any]:
    context = line.text("ctx").strip()
    kind = line.text("activity_label", optional=True)
    prompt = f"{kind}: {context}" if kind else context
    return {"prompt": prompt, **_chosen(line.texts("endings"), _label(line, "label"))}


def _commonsenseqa(line: Line) -> dict[str, Any]:
    """Both as the authors publish it (`question.stem`, a list of choices) and as the hub does (columns)."""
    question = line.record.get("question")
    stem = question.get("stem") if isinstance(question, dict) else question
    given = question.get("choices") if isinstance(question, dict) else line.record.get("choices")
    if isinstance(given, list):
        pairs = [(each.get("label"), each.get("text")) for each in given if isinstance(each, dict)]
    elif isinstance(given, dict):
        pairs = list(zip(given.get("label") or [], given.get("text") or [], strict=False))
    else:
        pairs = []
    if not isinstance(stem, str) or not pairs:
        raise line.wrong(
            "question", "There is no question with choices.", "Give CommonsenseQA as it is published."
        )
    labels = [label for label, _ in pairs]
    key = line.text("answerKey", optional=True)
    place = labels.index(key) if key in labels else None
    texts = [str(text) for _, text in pairs]
    return {"prompt": f"Question: {stem}\nAnswer:", "question": stem, **_chosen(texts, place)}


def _popqa(line: Line) -> dict[str, Any]:
    aliases = replace(line, typed=False).texts("possible_answers")  # a list in a text, in every form of it
    target = line.text("obj")
    return {
        "prompt": f"Question: {line.text('question')}\nAnswer:",
        "target": target,
        "aliases": [each for each in aliases if each != target],
        "subject": line.text("subj", optional=True),
        "relation": line.text("prop", optional=True),
        "possible_answers": aliases,
    }


def _svamp(line: Line) -> dict[str, Any]:
    body, answer = line.text("Body").strip(), line.record.get("Answer")
    try:
        number = float(str(answer))
    except ValueError:
        raise line.wrong(
            "Answer", f"{str(answer)[:40]!r} is no number.", "Give SVAMP as it is published."
        ) from None
    joined = f"{body}{'' if body.endswith(('.', ',', '?')) else '.'} {line.text('Question').strip()}"
    return {"prompt": f"Question: {joined}\nAnswer:", "target": f"{number:g}"}


def _lama(line: Line) -> dict[str, Any]:
    """The sentence up to its object; where words follow the object, going on from there would say something else."""
    target, subject = line.text("obj_label"), line.text("sub_label", optional=True)
    template = line.text("template", optional=True)
    if template and subject and "[X]" in template:
        sentence = template.replace("[X]", subject).replace("[Y]", "[MASK]")
    else:
        masked = line.record.get("masked_sentence") or line.record.get("masked_sentences")
        sentence = masked[0] if isinstance(masked, list) and masked else masked
    if not isinstance(sentence, str):
        raise line.wrong(
            "masked_sentence", "There is no sentence with a mask.", "Give LAMA as it is published."
        )
    before, mask, after = sentence.partition("[MASK]")
    if not mask or not before.strip():
        raise CannotBeAsked("no words stand before the object")
    if re.search(r"\w", after):
        raise CannotBeAsked("words follow the object")
    relation = line.text("predicate_id", optional=True) or line.text("pred", optional=True)
    return {"prompt": before.rstrip(), "target": target, "subject": subject, "relation": relation}


def _arithmetic(line: Line) -> dict[str, Any]:
    return {"prompt": line.text("context"), "target": line.text("completion").strip()}


def _chosen(choices: Sequence[str], label: int | None) -> dict[str, Any]:
    if label is None or not 0 <= label < len(choices):
        raise CannotBeAsked("no choice is said to be right")
    return {"target": choices[label], "choices": list(choices), "label": label}


def _label(line: Line, field: str) -> int | None:
    """Which choice is right, from 0; None where the set keeps it to itself (-1 or blank, as in test splits)."""
    value = line.record.get(field)
    text = str(value).strip()
    return int(text) if re.fullmatch(r"\d+", text) else None


def _lower(sentence: str) -> str:
    """As the end of another sentence: "The cup broke." becomes "the cup broke."."""
    return sentence[:1].lower() + sentence[1:] if sentence[:2] != "I " else sentence


PRESETS: dict[str, DatasetPreset] = {
    each.name: each
    for each in (
        DatasetPreset("copa", "COPA (SuperGLUE)", "commonsense", _copa, "idx"),
        DatasetPreset("piqa", "PIQA", "commonsense", _piqa),
        DatasetPreset("hellaswag", "HellaSwag", "commonsense", _hellaswag, "ind"),
        DatasetPreset("commonsenseqa", "CommonsenseQA", "commonsense", _commonsenseqa),
        DatasetPreset("popqa", "PopQA", "fact", _popqa),
        DatasetPreset("svamp", "SVAMP", "arithmetic", _svamp, "ID"),
        DatasetPreset("lama", "LAMA", "fact", _lama, "uuid"),
        DatasetPreset("gpt3-arithmetic", "GPT-3's arithmetic", "arithmetic", _arithmetic),
    )
}
