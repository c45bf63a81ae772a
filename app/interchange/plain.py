"""Corpora and prompts out of records: `{id, text, …}` and `{id, prompt, target, …}`, under these names or others.

A passage may also be a prompt with its completion, a chat or a preference pair (`app.interchange.lessons`).

Every other field is kept: of a passage in `meta`, of a prompt in `extra`.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from app.errors import UserError
from app.interchange.choosing import Choosing, choosing
from app.interchange.field_names import PASSAGE_IDS, PROMPT_IDS, PROMPTS, TARGETS, TEXTS
from app.interchange.fields import FieldLookup, Fields, RecordIds, renamed, rest
from app.interchange.lessons import read_lesson
from app.interchange.presets import CannotBeAsked, DatasetPreset
from app.interchange.records import Line, Progress, Reading, read_records
from app.store.corpora import PassageRecord
from app.store.prompts import PromptRecord
from app.words.roles import COMPLETION, COMPLETIONS, PROMPT
from app.words.tasks import TASKS

STATED_BY = "entailing_passage_ids"
_PROMPT_FIELDS = (
    "task",
    "ground_truth",
    "aliases",
    "subject",
    "relation",
    "fact_id",
    "frequency",
    STATED_BY,
)
LeftOut = list[tuple[str, str]]
Where = Path | str | Sequence[Path | str]


def read_passages(
    where: Where,
    progress: Progress | None = None,
    *,
    fields: Fields | None = None,
    reading: Reading | None = None,
    before: Collection[str] = (),
) -> Iterator[PassageRecord]:
    """The passages of files, in order, in bounded memory but for the ids that the files give.

    Args:
        where: as `read_records`.
        progress: told bytes read and in all.
        fields: the fields' names, where they are not the usual ones.
        before: ids of passages that stand before these in their corpus.

    Raises:
        UserError: a record cannot be read, lacks its text, or repeats an id; file, line and field are named.
    """
    return as_passages(read_records(where, reading, progress), fields or Fields(), before)


def as_passages(
    lines: Iterable[Line], fields: Fields, before: Collection[str] = ()
) -> Iterator[PassageRecord]:
    """Each record as a passage, of the form that `app.interchange.lessons` sees."""
    ids, texts = RecordIds(fields.id, PASSAGE_IDS, before), FieldLookup("text", fields.text, TEXTS)
    form = fields.form or (COMPLETIONS if fields.target else "")
    for line in renamed(lines, fields, {"prompt": PROMPT, "target": COMPLETION}):
        lesson, used = read_lesson(line, form, texts)
        id_ = ids.of(line)
        yield PassageRecord(id_, lesson, rest(line.record, *used, ids.name))


def read_prompts(
    where: Where,
    progress: Progress | None = None,
    *,
    fields: Fields | None = None,
    reading: Reading | None = None,
    form: DatasetPreset | None = None,
    labels: Path | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[PromptRecord]:
    """The prompts of files, in order; a prompt without a task is a fact.

    Args:
        form: how a published set is laid out; None: as ours.
        labels: a file with the number of the right choice of each record, one a line, where a set keeps them apart.
        left_out: filled with (id or place, reason) of what cannot be asked: a blank prompt or target, or no right choice.

    Raises:
        UserError: a record cannot be read, or a field is missing, repeated or of the wrong kind.
    """
    left_out = left_out if left_out is not None else []
    lines = read_records(where, replace(reading or Reading(), texts=False), progress)
    lines = _labelled(lines, labels) if labels else lines
    for prompt in as_prompts(_formed(lines, form, left_out) if form else lines, fields or Fields()):
        if blank := _blank(prompt):
            left_out.append((prompt.external_id, f"{blank} is blank"))
        else:
            yield prompt


def _blank(prompt: PromptRecord) -> str:
    """What of a prompt is missing, so that nobody can be asked it; empty where nothing is."""
    parts = {"the prompt": prompt.text, "the target": prompt.target}
    parts |= {f"choice {number}": choice for number, choice in enumerate(prompt.choices or (), 1)}
    return next((name for name, text in parts.items() if not text.strip()), "")


def _labelled(lines: Iterator[Line], labels: Path) -> Iterator[Line]:
    """Each record with its line of the labels.

    Raises:
        UserError: there are more of the one than of the other.
    """
    right = [each.record["text"] for each in read_records(labels, Reading(passages="line"))]
    remedy, number = "Give the labels of this very file.", 0
    for number, line in enumerate(lines, 1):
        if number > len(right):
            raise line.wrong("label", f"{labels.name} has no line for it.", remedy)
        yield replace(line, record={**line.record, "label": right[number - 1]})
    if number < len(right):
        raise UserError("There are more labels than records.", file=labels, line=number + 1, remedy=remedy)


def _formed(lines: Iterable[Line], form: DatasetPreset, left_out: LeftOut) -> Iterator[Line]:
    for line in lines:
        try:
            yield form(line)
        except CannotBeAsked as error:
            left_out.append((str(line.record.get(form.id, f"line {line.number}")), str(error)))


def as_prompts(lines: Iterable[Line], fields: Fields) -> Iterator[PromptRecord]:
    """Each record as a prompt."""
    ids = RecordIds(fields.id, PROMPT_IDS)
    prompts, targets = (
        FieldLookup("prompt", fields.prompt, PROMPTS),
        FieldLookup("target", fields.target, TARGETS),
    )
    for line in lines:
        name, text = prompts.text(line)
        chooses = choosing(line, fields)
        goal, target = _target(line, targets, chooses)
        id_ = ids.of(line)
        yield PromptRecord(
            external_id=id_,
            text=text,
            target=target,
            task=_task(line),
            ground_truth=line.text("ground_truth", optional=True),
            aliases=line.texts("aliases"),
            choices=chooses.choices if chooses else None,
            label=chooses.label if chooses else None,
            subject=line.text("subject", optional=True),
            relation=line.text("relation", optional=True),
            fact_id=line.text("fact_id", optional=True),
            frequency=line.count("frequency"),
            stated_by=line.texts(STATED_BY),
            extra=rest(
                line.record, name, goal, ids.name, *_PROMPT_FIELDS, *(chooses.fields if chooses else ())
            ),
        )


def _target(line: Line, targets: FieldLookup, chooses: Choosing | None) -> tuple[str | None, str]:
    """The field of the target and what stands there; of a prompt with choices, the right one, said again or not."""
    if chooses is None:
        return targets.text(line)
    if not targets.given and not any(name in line.record and name not in chooses.fields for name in TARGETS):
        return None, chooses.target
    name, said = targets.text(line)
    if name in chooses.fields:
        return None, chooses.target
    if said != chooses.target:
        raise line.wrong(
            name,
            f"The target is “{said[:60]}”, and the label names “{chooses.target[:60]}”.",
            "Leave the target out, or make the two agree.",
        )
    return name, said


def _task(line: Line) -> str:
    task = line.record.get("task") or "fact"
    if task not in TASKS:
        raise line.wrong("task", f"{task!r} is no task.", f"Use one of {', '.join(TASKS)}.")
    return str(task)
