"""Runs as records of the paper's results format."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import Row, and_, select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.files import json_line, whole
from app.interchange.results_fields import LISTS, OUTPUT, PROMPT, SIDES
from app.interchange.results_lossless import rebuild, usual_names
from app.models.text import Query
from app.showing import Progress
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run, Statement
from app.words.answers import SAID

AT_ONCE = 200  # results read together: three queries each time
STATED = (
    "entailing_passage_ids"  # what no column keeps: written for runs of ours, kept with files that have it
)
CHANCE = ("chance_floor", "above_chance", "chance")  # columns, and kept with the file they came with
_COLUMNS = [column for column, _ in LISTS.values()]


def export_results(session: Session, run: Run) -> Iterator[dict[str, Any]]:
    """Every result of the run as a record, in order; as it came in, where it came from a file."""
    after = -1
    while True:
        page = select(Result).where(Result.run_id == run.id, Result.position > after)
        results = session.scalars(page.order_by(Result.position).limit(AT_ONCE)).all()
        if not results:
            return
        yield from example_records(session, run, results)
        after = results[-1].position


def write_results(session: Session, run: Run, to: Path | IO[bytes], progress: Progress) -> None:
    """Write every result of the run as JSON Lines: to a stream, or to a file that takes its name when it is whole.

    Args:
        to: a path that ends in .gz is compressed.

    Raises:
        UserError: the file cannot be written.
    """
    with _opened(to) as out:
        for number, record in enumerate(export_results(session, run), 1):
            out.write(json_line(record))
            progress(number, run.prompt_count)


@contextmanager
def _opened(to: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    if not isinstance(to, Path):
        yield to
        return
    try:
        with whole(to) as partial, partial.open("wb") as raw:
            if to.suffix == ".gz":
                with gzip.GzipFile(to.stem, "wb", fileobj=raw) as out:
                    yield cast(IO[bytes], out)
            else:
                yield raw
    except OSError as error:
        raise UserError(
            f"It cannot be written: {error.strerror}.",
            file=to,
            remedy="Name a file in a directory of yours.",
        ) from None


def example_record(session: Session, run: Run, result: Result) -> dict[str, Any]:
    """One result of the run as a record."""
    return next(example_records(session, run, [result]))


def example_records(session: Session, run: Run, results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Some results of the run as records, in the order given; four queries for all of them."""
    asked = select(Prompt, Output).outerjoin(
        Output, and_(Output.prompt_id == Prompt.id, Output.model_id == run.model_id)
    )
    found = session.execute(asked.where(Prompt.id.in_([result.prompt_id for result in results])))
    prompts = {prompt.id: (prompt, output) for prompt, output in found}
    lists = _lists(session, [result.id for result in results])
    stated = _stated(session, [result.prompt_id for result in results])
    usual = run.configuration.get("fields")
    for result in results:
        prompt, output = prompts[result.prompt_id]
        rows = {
            "prompt": {field.column: getattr(prompt, field.column) for field in PROMPT},
            "output": {field.column: getattr(output, field.column) for field in OUTPUT} if output else {},
            **{side: lists.get((result.id, side), {}) for side in SIDES},
        }
        if names := result.fields or usual:
            yield rebuild(names, result.extra, rows)
        else:
            told = _prediction(prompt, output) if run.explains == SAID else {}
            rows = {name: row | told.get(name, {}) for name, row in rows.items()}
            own: dict[str, Any] = {STATED: stated[prompt.id]} if prompt.id in stated else {}
            if result.chance:
                own |= {name: getattr(result, name) for name in CHANCE}
            if result.contrast is not None:
                own["contrast"] = result.contrast
            if run.explains == SAID:
                own["explains"] = SAID
            yield rebuild([*usual_names(rows), *own], {**result.extra, **own}, rows)


def _prediction(prompt: Prompt, output: Output | None) -> dict[str, dict[str, Any]]:
    """What the columns of a record say where its passages are those of what the model said: as in the paper's files of
    incorrect predictions that is the target, with what is right as ground truth."""
    if output is None or not output.answer:
        return {}
    known = (output.said, output.said_tokens, output.answer)
    asked = Query.explaining(
        SAID, prompt.text, prompt.target, *known[:2], answer=known[2], whole=bool(prompt.choices)
    )
    target = {"target": asked.explained.strip(), "ground_truth": prompt.ground_truth or prompt.target}
    return {"prompt": target, "output": {"probability": output.said_probability}}


def _stated(session: Session, prompts: Iterable[int]) -> dict[int, list[str]]:
    """For each prompt of which it is known, the passages that state its fact, in the order of their corpus."""
    query = (
        select(Statement.prompt_id, Passage.external_id)
        .join(Passage, Passage.id == Statement.passage_id)
        .where(Statement.prompt_id.in_(prompts))
        .order_by(Statement.prompt_id, Passage.position)
    )
    stated: dict[int, list[str]] = {}
    for prompt_id, passage in session.execute(query):
        stated.setdefault(prompt_id, []).append(passage)
    return stated


def _lists(session: Session, results: Iterable[int]) -> dict[tuple[int, str], dict[str, list[Any]]]:
    """For each result and side, the values of each column in rank order."""
    query = (
        select(
            Retrieved.result_id,
            Retrieved.side,
            Passage.text,
            Passage.external_id,
            *(getattr(Retrieved, column) for column in _COLUMNS[2:]),
        )
        .join(Passage, Passage.id == Retrieved.passage_id)
        .where(Retrieved.result_id.in_(results))
        .order_by(Retrieved.result_id, Retrieved.side, Retrieved.rank)
    )
    groups: dict[tuple[int, str], list[Row[Any]]] = {}
    for row in session.execute(query):
        groups.setdefault((row[0], row[1]), []).append(row)
    return {
        key: {column: [row[at] for row in rows] for at, column in enumerate(_COLUMNS, 2)}
        for key, rows in groups.items()
    }
