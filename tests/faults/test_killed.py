"""One SIGKILL each, of what works on a home beside the site: it goes on where it was, and nothing is left half done.

Workers are killed again and again in `tests/unit/tracing/test_worker_killed.py`, importers in
`tests/unit/store/test_arriving.py`, a cluster's members in `tests/cluster/test_encoding.py` (where Ray is). `make faults` kills
twenty of each, of servers too, while people ask.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli.main import app
from app.runs.inputs import open_inputs
from app.runs.retrieve import retrieve
from app.settings import get_settings
from app.store import jobs, workers
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.evaluations import figures_of
from app.store.prompts import PromptRecord, add_prompts
from app.store.runs import get_run
from app.store.tables import Result, Retrieved
from app.store.work_tables import Job, Trace
from app.tracing.trace_engine import TraceEngine
from tests.support.asking import made_home, passages, put_corpus, settings_of
from tests.support.mortal import command_process, forking, run, worker_process
from tests.support.sites import site

pytestmark = pytest.mark.slow


def until(true: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends, f"waited for {what}"
        time.sleep(0.005)


def again(monkeypatch: pytest.MonkeyPatch, home: Path, url: str, *words: str) -> str:
    """The same command to its end, in this process."""
    for name, value in (("HOME", str(home)), ("DATABASE_URL", url), ("DEVICE", "cpu")):
        monkeypatch.setenv(f"STARTRAIL_{name}", value)
    get_settings.cache_clear()
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def steps(store: Store) -> dict[tuple[int, int], float]:
    """What was measured, by result and rank."""
    with store.session() as session:
        rows = session.scalars(select(Retrieved).where(Retrieved.tail_patch.is_not(None)))
        return {(row.result_id, row.rank): row.tail_patch or 0 for row in rows}


def test_an_evaluation(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_corpus(store)
    home = made_home()
    with store.session() as session:
        corpus = get_corpus(session, "demo")
        asked = [
            PromptRecord(f"c{n}", f"The capital of {each} is", "Lima", stated_by=[passages()[n][0]])
            for n, each in enumerate(("Mali", "Japan", "Ghana", "Peru"))
        ]
        add_prompts(session, "asked", asked, corpus=corpus)
        retrieve(
            session, open_inputs(session, settings_of(home, database_url), "demo", "asked"), "bm25", slug="b"
        )
    words = ("evaluate", "--runs", "b", "--tail-patch", "4")
    with command_process(home, database_url, *words):
        until(lambda: bool(steps(store)), "a step that is saved")
    half = steps(store)
    again(monkeypatch, home, database_url, *words)
    whole = steps(store)
    assert half.items() <= whole.items()
    assert len(half) < len(whole) == 16
    with store.session() as session:
        assert "fact" in figures_of(session, get_run(session, "b"))
        assert None not in session.scalars(select(Result.tail_patch)).all()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_index_build(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes files; of the database it only reads."""
    put_corpus(store)
    home = shutil.copytree(made_home(), tmp_path / "home")
    words = ("index", "demo", "demo", "--name", "killed", "--shard-rows", "8", "--projection-dim", "4")
    place = home / "indexes" / "killed"
    parts = place.with_name(".killed.building")
    with command_process(home, database_url, *words, "--batch-tokens", "64"):
        until(lambda: len(list(parts.glob("encodings-*.json"))) > 2, "whole parts")
    whole = {each.with_suffix(".npy").name for each in parts.glob("encodings-*.json")}
    written = {name: (parts / name).stat().st_mtime_ns for name in whole}
    assert not place.exists()
    again(monkeypatch, home, database_url, *words, "--batch-tokens", "64")
    assert {name: (place / name).stat().st_mtime_ns for name in whole} == written
    assert "All" in again(monkeypatch, home, database_url, "index", "--verify", "killed", "demo", "demo")


def test_two_servers_and_four_workers_share_a_home(store: Store, database_url: str) -> None:
    """One worker is killed with what it has in hand; every question is answered once."""
    put_corpus(store)
    home, accepted = made_home(), []

    def busy(pid: int | None) -> bool:
        with store.session() as session:
            mine = Job.worker.contains(f"/{pid}/")
            return session.scalar(select(Job.id).where(Job.state == "running", mine).limit(1)) is not None

    def ready() -> list[str]:
        with store.session() as session:
            return [each.id for each in workers.alive(session) if each.status == "ready"]

    def done() -> bool:
        with store.session() as session:
            return not session.scalars(select(Job.id).where(Job.state.not_in(jobs.OVER))).all()

    with ExitStack() as stack:
        sites = [stack.enter_context(site(database_url, home)) for _ in range(2)]
        for _ in range(3):
            stack.enter_context(worker_process(home, database_url))
        with worker_process(home, database_url) as dies:
            until(lambda: len(ready()) == 4, "four workers")
            for n in range(24):
                answer = sites[n % 2].post("/api/traces", json={"prompt": f"Number {n} is", "k": 5})
                assert answer.status_code == 202
                accepted.append(answer.json()["id"])
                if busy(dies.pid):
                    break
        until(done, "all answers")
        for each in sites:
            assert each.get(f"/traces/{accepted[-1]}.json").json()["status"] == "done"
    with store.session() as session:
        ended = {job.id: job.state for job in session.scalars(select(Job))}
        traces = session.scalars(select(Trace.id)).all()
    assert ended == dict.fromkeys(accepted, "done")
    assert sorted(traces) == sorted(accepted)


def load_for_ever(home: Path, url: str, file: Path) -> None:
    """A worker with a very large model; `file` is there once it reads that."""

    def load(_engine: TraceEngine) -> None:
        file.touch()
        time.sleep(600)

    TraceEngine.load = load  # type: ignore[method-assign,assignment]  # in a process of its own
    run(home, url)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_worker_told_to_end_does_not_load_its_model_first(database_url: str, tmp_path: Path) -> None:
    """It held the memory and the processor that the next one needed."""
    file = tmp_path / "loading"
    worker = forking.Process(target=load_for_ever, args=(tmp_path, database_url, file))
    worker.start()
    try:
        until(file.exists, "it to load")
        worker.terminate()
        worker.join(30)
        assert worker.exitcode == 0
    finally:
        worker.kill()
