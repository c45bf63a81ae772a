"""What an audit found as tables, JSON Lines or CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from app.cli.reading import short
from app.evaluation.audited import CorpusAudit
from app.files import json_line
from app.runs.auditing.listing import COLUMNS, ListedPassage
from app.words.auditing import way_label


def tables(found: CorpusAudit, rows: Sequence[ListedPassage]) -> Iterator[Table]:
    """A table for each way of looking."""
    for each in found.rankings:
        title = f"{way_label(each.by)}: the first {len(each.rows):,} of {each.among:,} passages"
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        table.add_column("", justify="right")
        table.add_column("score", justify="right")
        table.add_column("id", overflow="fold")
        table.add_column("passage", overflow="fold")
        for row in rows:
            if row.by == each.by:
                table.add_row(str(row.rank), f"{row.score:.4g}", Text(short(row.id)), Text(short(row.text)))
        yield table


def written(rows: Sequence[ListedPassage], form: str) -> str:
    """The same as JSON Lines or CSV."""
    if form == "jsonl":
        return b"".join(json_line(asdict(row)) for row in rows).decode()
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return out.getvalue()
