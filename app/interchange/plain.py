"""Plain files: corpora as `{id, text, …}` and prompts as `{id, prompt, target, …}`, gzip read directly.

Every other field is kept: of a passage in `meta`, of a prompt in `extra`.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.interchange.lines import EVERY, Line, Progress, read_lines
from app.interchange.sources import Corpus
from app.store.corpora import PassageRecord
from app.store.prompts import TASKS, PromptRecord

PARQUET_MAGIC = b"PAR1"
PASSAGE_IDS = ("id", "passage_id")
PROMPT_IDS = ("id", "fact_id", "example_id")
STATED_BY = "entailing_passage_ids"
_PROMPT_FIELDS = {
    "prompt",
    "target",
    "task",
    "ground_truth",
    "aliases",
    "subject",
    "relation",
    "fact_id",
    "frequency",
}


def read_passages(
    file: Path, progress: Progress | None = None, *, id_field: str = "", text_field: str = ""
) -> Iterator[PassageRecord]:
    """The passages of a file, in order: JSON Lines, gzipped or not, Parquet, or a Hugging Face dataset on disk.

    Args:
        progress: told bytes read and in all; of a Parquet file or dataset, passages read and 0.
        id_field, text_field: the fields' names, where they are not the usual ones.

    Raises:
        UserError: a line is not JSON, lacks its id or text, or repeats an id; file, line and field are named.
    """
    if file.is_dir() or _starts_with(file, PARQUET_MAGIC):
        source = Corpus(file, id_field or None, text_field or None)
        for count, passage in enumerate(source.passages(), 1):
            if progress and count % EVERY == 0:
                progress(count, 0)
            yield PassageRecord(
                passage.id, passage.text, {name: as_json(v) for name, v in passage.meta.items()}
            )
        return
    ids, text = (id_field,) if id_field else PASSAGE_IDS, text_field or "text"
    seen: dict[str, int] = {}
    for line in read_lines(file, progress):
        id_ = _identity(line, ids, seen)
        meta = {key: value for key, value in line.record.items() if key not in (text, *ids)}
        yield PassageRecord(id_, line.text(text), meta)


def as_json(value: Any) -> Any:
    """A value of a table as JSON has it: dates and the like as text, what is no number as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return str(value)


def _starts_with(file: Path, magic: bytes) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(magic)) == magic


def read_prompts(file: Path, progress: Progress | None = None) -> Iterator[PromptRecord]:
    """The prompts of a file, in order; a prompt without a task is a fact.

    Raises:
        UserError: a line is not JSON, or a field is missing, repeated or of the wrong kind.
    """
    seen: dict[str, int] = {}
    for line in read_lines(file, progress):
        record = line.record
        id_ = _identity(line, PROMPT_IDS, seen)
        task = record.get("task", "fact")
        if task not in TASKS:
            raise line.wrong("task", f"{task!r} is no task.", f"Use one of {', '.join(TASKS)}.")
        known = {*_PROMPT_FIELDS, *PROMPT_IDS, STATED_BY}
        yield PromptRecord(
            external_id=id_,
            text=line.text("prompt"),
            target=line.text("target"),
            task=task,
            ground_truth=line.text("ground_truth", optional=True),
            aliases=line.texts("aliases"),
            subject=line.text("subject", optional=True),
            relation=line.text("relation", optional=True),
            fact_id=line.text("fact_id", optional=True),
            frequency=line.count("frequency"),
            stated_by=line.texts(STATED_BY),
            extra={key: value for key, value in record.items() if key not in known},
        )


def _identity(line: Line, names: tuple[str, ...], seen: dict[str, int]) -> str:
    found: Any = next((line.record[name] for name in names if line.record.get(name) is not None), None)
    if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
        raise line.wrong(names[0], "The line has no id.", f"Give every line a field {' or '.join(names)}.")
    id_ = str(found)
    if id_ in seen:
        raise UserError(
            f"The id “{id_}” stands on line {seen[id_]} already.",
            file=line.file,
            line=line.number,
            field=names[0],
            remedy="Give every line an id of its own.",
        )
    seen[id_] = line.number
    return id_
