"""Exports as people load them: pandas and `datasets` read every form, and a run's Parquet comes back in as it was."""

import io
import json
import shutil
from pathlib import Path

import pandas
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.interchange import parquet
from app.interchange.results import import_results
from app.store import jobs
from app.store.engine import Store, open_store
from app.store.work_tables import Job
from tests.support.hostile import answered_trace
from tests.support.sites import site

TABLES = (
    "/runs/trackstar", "/prompts", "/runs/trackstar/prompts/capital-china", "/evaluation", "/finds/mistakes",
    "/finds/words-mislead", "/evaluation/prompts",
)  # fmt: skip
ASKED = {"/evaluation/prompts": "?run=trackstar&measure=mrr", "/finds/mistakes": "?run=trackstar"}


@pytest.mark.parametrize("path", TABLES)
def test_pandas_reads_every_table_in_every_form(client: TestClient, path: str) -> None:
    """Equal rows in all three, as many as the header says."""
    counts = set()
    for kind in ("csv", "jsonl", "parquet"):
        answer = client.get(f"/api/v1{path}.{kind}{ASKED.get(path, '')}")
        assert answer.status_code == 200, answer.text
        body = io.BytesIO(answer.content)
        rows = int(answer.headers["x-row-count"])
        if not rows and kind != "parquet":
            continue
        frame = {
            "csv": pandas.read_csv,
            "jsonl": lambda file: pandas.read_json(file, lines=True),
            "parquet": pandas.read_parquet,
        }[kind](body)
        assert len(frame) == rows
        if kind != "jsonl" or path not in (
            "/runs/trackstar/prompts/capital-china",
        ):  # there it is one record
            counts.add(rows)
    assert len(counts) == 1


def test_a_trace_is_read_in_every_form(filled_sqlite: Path, tmp_path: Path) -> None:
    """The passages for and against, as pandas, `datasets` and `import` take them; one that is not answered is 409, no file."""
    shutil.copy(filled_sqlite, tmp_path / "startrail.db")
    url = f"sqlite:///{tmp_path / 'startrail.db'}"
    store = open_store(url)
    with store.session() as session:
        trace = answered_trace(session, 1, "of France", 1)
        waiting = jobs.add(session, "trace", session.get_one(Job, trace).request, limit=1000).id
    store.engine.dispose()
    with site(url, tmp_path) as client:
        files = {kind: client.get(f"/api/v1/traces/{trace}.{kind}") for kind in ("csv", "jsonl", "parquet")}
        early = [client.get(f"/api/v1/traces/{waiting}.{kind}").status_code for kind in files]
    table = pandas.read_csv(io.BytesIO(files["csv"].content))
    typed = pandas.read_parquet(io.BytesIO(files["parquet"].content))
    assert list(table["passage_id"]) == list(typed["passage_id"]) == [1, 1]
    assert list(typed["side"]) == ["proponent", "opponent"]
    assert list(typed["score"]) == [0.5, -0.5]
    (tmp_path / "trace.parquet").write_bytes(files["parquet"].content)
    record = json.loads(files["jsonl"].text)
    assert (record["proponent_scores"], record["opponent_scores"]) == ([0.5], [-0.5])
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "trace.parquet"),
        cache_dir=str(tmp_path / "cache"),
        split="train",
    )
    assert found["score"][:] == [0.5, -0.5]
    assert early == [409] * 3


def test_datasets_loads_a_run(client: TestClient, tmp_path: Path) -> None:
    """`load_dataset("parquet", data_files=…)`: types from the file, the same whatever the run says."""
    datasets = pytest.importorskip("datasets")
    files = []
    for run in ("trackstar", "bm25"):
        file = tmp_path / f"{run}.parquet"
        file.write_bytes(client.get(f"/runs/{run}.parquet").content)
        files.append(str(file))
    loaded = datasets.load_dataset(
        "parquet", data_files=files, cache_dir=str(tmp_path / "cache"), split="train"
    )
    records = [json.loads(line) for line in client.get("/runs/trackstar.jsonl").text.splitlines()]
    assert loaded[0]["proponents"] == records[0]["proponents"]
    assert loaded[0]["proponent_scores"] == records[0]["proponent_scores"]
    assert len(loaded) == 2 * len(records)


def test_a_run_comes_back_from_parquet_as_it_was(client: TestClient, store: Store, tmp_path: Path) -> None:
    """Fields that nobody knows and values of no one type are kept in columns of JSON, which are read back."""
    record = {
        "example_id": "a", "inputs_plaintext": "The capital of Mali is", "targets_plaintext": "Bamako",
        "proponents": ["Bamako is the capital."], "proponent_scores": [0.5], "proponent_correct": [True],
        "my_note": {"kept": [1, None]}, "query_set": "mine", "choices": ["Bamako", "Segou"], "label": 0,
    }  # fmt: skip
    file = tmp_path / "run.parquet"
    file.write_bytes(b"".join(parquet.results_parquet([record, {**record, "example_id": "b\ud800"}])))
    assert pq.read_table(file).column("proponent_correct").type.value_type == "bool"
    with store.session() as session:
        run = import_results(session, file, run="again")
        assert run.prompt_count == 2
        from app.interchange.results import export_results

        assert next(iter(export_results(session, run))) == record


def test_memory_does_not_grow_with_rows() -> None:
    """Groups leave as they are full: what is held is one of them."""
    record = {
        "example_id": "a",
        "inputs_plaintext": "p",
        "targets_plaintext": "t",
        "proponents": ["x" * 500] * 20,
    }
    sizes = [
        len(chunk) for chunk in parquet.results_parquet(record | {"example_id": str(n)} for n in range(2_100))
    ]
    assert len(sizes) == 5
    assert max(sizes) < 2 * sorted(sizes)[2] + 50_000
