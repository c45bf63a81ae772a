"""NaN, as pandas, numpy and Python write it: null by every way in, and counted by field."""

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from app.interchange.adding import add_corpus_files, add_prompt_files
from app.interchange.records import Reading
from app.interchange.records.not_numbers import NAMED, OTHERS, count, read_cell
from app.interchange.results import NULLS, export_results, import_results
from app.store.engine import Store
from app.store.tables import Passage, Prompt
from tests.support.paper_records import paper_record
from tests.support.record_files import arrow, jsonl, parquet

NAN = math.nan
LISTED = {"proponent_scores": [NAN, 0.5, NAN], "proponent_ais_scores": [0.25, NAN, 0.75]}
RECORD = paper_record(0) | LISTED | {"8b_confidence": NAN}
COUNTED = {"8b_confidence": 1, "proponent_scores": 2, "proponent_ais_scores": 1}
Rows = list[dict[str, Any]]


def cells(rows: Rows) -> bytes:
    """As `DataFrame.to_csv(na_rep="NaN")` writes them: a list as Python prints it."""
    body = [
        ['"' + (v if isinstance(v, str) else repr(v)).replace('"', '""') + '"' for v in r.values()]
        for r in rows
    ]
    return "".join(",".join(row) + "\n" for row in [list(rows[0]), *body]).encode()


FORMS: dict[str, Callable[[Rows], bytes]] = {
    "jsonl": jsonl,
    "json": lambda rows: json.dumps(rows, indent=1).encode(),
    "csv": cells,
    "parquet": parquet,
    "feather": lambda rows: arrow(rows, pa.ipc.new_file),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("form", FORMS)
def test_results_with_nan_come_in_with_null_and_say_how_many(store: Store, tmp_path: Path, form: str) -> None:
    """A cell of `NaN` was stored as the number, and a Parquet's became null without a word."""
    path = tmp_path / f"found.{form}"
    path.write_bytes(FORMS[form]([RECORD, paper_record(1)]))
    with store.session() as session:
        run = import_results(session, path, run="found")
        assert run.configuration[NULLS] == COUNTED
        first, second = export_results(session, run)
    assert first["proponent_scores"] == [None, 0.5, None]
    assert first["proponent_ais_scores"] == [0.25, None, 0.75]
    assert first["8b_confidence"] is None
    assert second == paper_record(1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "form", [form for form in FORMS if form != "csv"]
)  # there they are texts, and kept as such
def test_what_is_kept_beside_a_passage_or_prompt_is_null_and_counted(
    store: Store, tmp_path: Path, form: str
) -> None:
    path, rows = tmp_path / "web", [{"text": "a", "weight": NAN}, {"text": "b", "weight": 0.5}]
    path.write_bytes(FORMS[form](rows))
    added = Reading()
    add_corpus_files(store, [str(path)], reading=added)
    path.write_bytes(
        FORMS[form](
            [{"prompt": "a", "target": "b", "frequency": n, "level": [NAN, 1.0]} for n in (NAN, 12.0)]
        )
    )
    asked = Reading()
    add_prompt_files(store, [str(path)], reading=asked)
    assert added.nulls == {"weight": 1}
    assert asked.nulls == {"frequency": 1, "level": 2}
    with store.session() as session:
        kept = session.scalars(select(Passage.meta).order_by(Passage.position)).all()
        counts = session.scalars(select(Prompt.frequency).order_by(Prompt.position)).all()
    assert kept == [{"weight": None}, {"weight": 0.5}]
    assert counts == [None, 12]


@pytest.mark.parametrize(
    ("cell", "value", "nulls"),
    [
        ("", None, 0), ("nan", None, 1), ("NaN", None, 1), ("None", None, 0), ("3", 3, 0), ("[0.5, NaN]", [0.5, None], 1),
        ("['a', nan]", ["a", None], 1), ("['nan']", ["nan"], 0),
        ("[np.float64(0.5), np.float64(nan), np.True_]", [0.5, None, True], 1),
        ("inf", "inf", 0), ("1e999", "1e999", 0), ("-Infinity", "-Infinity", 0), ("(1, 2)", [1, 2], 0),
        ("__import__('os')", "__import__('os')", 0), ("np.save('x')", "x", 0), ("np.load(x)", "np.load(x)", 0),
    ],
)  # fmt: skip
def test_a_cell_says_what_pandas_and_numpy_meant(cell: str, value: Any, nulls: int) -> None:
    assert read_cell(cell) == (value, nulls)


def test_fields_beyond_a_hundred_are_counted_together() -> None:
    counted = Counter[str]()
    for number in range(NAMED + 5):
        count(counted, {f"x{number}": 1})
    assert (len(counted), counted[OTHERS]) == (NAMED + 1, 5)
