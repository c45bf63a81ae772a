"""What bergson saves: a folder with `info.json` and `scores.bin`, passages by queries, each score beside a mark that it
was written; and the table that its queries print."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import UserError
from app.interchange.records import Line, read_records
from app.interchange.tools.matrices import Places, records_of

INFO, SCORES = "info.json", "scores.bin"
_COLUMNS = ["query", "direction", "result", "result_index", "score"]
_SIDES = {"highest": "proponent", "lowest": "opponent"}


def recognises(path: Path) -> bool:
    """A folder of scores."""
    return (path / INFO).is_file() and (path / SCORES).is_file()


def read(path: Path, places: Places) -> Iterator[Line]:
    """The scores of every passage.

    Raises:
        UserError: they are damaged, by token, not all written, or fit neither prompts nor corpus.
    """
    info = _info(path / INFO)
    try:
        count, queries = int(info["num_items"]), int(info["num_scores"])
        fields: Any = {name: info["dtype"][name] for name in ("names", "formats", "offsets", "itemsize")}
        layout = np.dtype(fields)
        rows = np.memmap(path / SCORES, layout, "r", shape=(int(info["num_rows"]),))
        columns = [rows[f"score_{at}"] for at in range(queries)]
        written = [rows[f"written_{at}"] for at in range(queries)]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(
            f"The scores do not have the layout that {INFO} says: {error}.",
            file=path / SCORES,
            remedy="Copy the folder again, or score again.",
        ) from None
    if info.get("attribute_tokens") or len(rows) != count:
        raise UserError(
            "The scores are of tokens, not of passages.",
            file=path / INFO,
            field="attribute_tokens",
            remedy="Score again without attributing tokens.",
        )
    for at, column in enumerate(written):
        if not column.all():
            raise UserError(
                f"{int((~column).sum()):,} of {count:,} scores of query {at + 1} were never written.",
                file=path / SCORES,
                remedy="Finish scoring: a passage without a score is not one without influence.",
            )
    return records_of(np.stack(columns, axis=1), path / SCORES, places, rows="passages")


def recognises_table(path: Path) -> bool:
    """The table that a query prints."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline(200).decode("utf-8", "replace")
    try:
        return next(csv.reader([first.strip()]), []) == _COLUMNS
    except csv.Error:  # no table: the time in a gzip file's first bytes may be a line break
        return False


def read_table(path: Path, _: Places) -> Iterator[Line]:
    """Each query with the passages that stand beside it, highest as proponents and lowest as opponents.

    Raises:
        UserError: a direction or a score is none.
    """
    found: dict[str, dict[str, Any]] = {}
    for line in read_records(path):
        query, side = line.text("query"), _SIDES.get(line.text("direction"))
        if side is None:
            raise line.wrong("direction", "It is neither highest nor lowest.", "Export the query again.")
        try:
            score = float(line.text("score"))
        except ValueError:
            raise line.wrong(
                "score", f"{line.record['score']!r} is no number.", "Export the query again."
            ) from None
        record = found.setdefault(query, {"inputs_plaintext": query, "targets_plaintext": ""})
        for name, value in (
            ("s", line.text("result")),
            ("_ids", line.text("result_index")),
            ("_scores", score),
        ):
            record.setdefault(f"{side}{name}", []).append(value)
    for number, record in enumerate(found.values(), 1):
        yield Line(path, number, record)


def _info(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"It cannot be read: {error}.", file=file, remedy="Copy the folder again.") from None
