"""SIGKILL at any moment, of everything that works on a home; see `faults`."""

import os
import random
import signal
import subprocess
import time

from _faults_site import STARTS, Field, stop, until, written
from sqlalchemy import func, select

from app.store.engine import Store
from app.store.tables import Passage, Prompt, Result, Run

RECORDS = 20_000  # of the file that is imported again and again


def servers(field: Field, kills: int) -> None:
    """The server itself; its worker ends by itself."""
    for _ in range(kills):
        time.sleep(random.uniform(0.5, 3))
        field.site.kill()
        field.site.start()


def workers(field: Field, kills: int) -> None:
    """The worker, at any moment after it was started."""
    for _ in range(kills):
        until(lambda: bool(field.site.workers()), STARTS, "a worker")
        time.sleep(random.uniform(0.5, 8))
        for worker in field.site.workers():
            stop(worker)


def importers(field: Field, kills: int) -> int:
    """An import into a corpus, prompt set and model that others use; returns how many rows too many or too few are seen, and
    how many are left at all once the next import is through."""
    record = {"targets_plaintext": "so", "opponents": [], "8b_generations": ["so"]}
    lines = [
        record | {"inputs_plaintext": f"Killed {n} is", "proponents": [f"killed {n}"]} for n in range(RECORDS)
    ]
    file = written(lines, field.home.parent / "killed.jsonl")
    wrong = 0
    for number in range(kills):
        importing = field.command("import", str(file), "--run", f"killed-{number}")
        time.sleep(random.uniform(2, 9))
        stop(importing.pid)
        importing.wait()
        wrong += _half_there(field.people.store)
    last = field.command("import", str(file), "--run", "whole")
    if last.wait():
        wrong += 1
    return wrong + _half_there(field.people.store) + _left(field.people.store)


def _half_there(store: Store) -> int:
    """Rows seen that belong to no whole run, and those missing of runs that are seen."""
    with store.session() as session:
        runs = session.scalars(
            select(Run).where(Run.name.startswith("killed-") | (Run.name == "whole"))
        ).all()
        count = select(func.count()).where(Result.run_id.in_([run.id for run in runs]))
        results = session.scalar(count) or 0
        passages = session.scalar(select(func.count()).where(Passage.text.startswith("killed "))) or 0
        prompts = session.scalar(select(func.count()).where(Prompt.text.startswith("Killed "))) or 0
    expected = RECORDS if runs else 0
    missing = sum(run.prompt_count != RECORDS for run in runs)
    return missing + abs(results - RECORDS * len(runs)) + abs(passages - expected) + abs(prompts - expected)


def _left(store: Store) -> int:
    """Rows of dead imports that nobody sees and nobody took away."""
    with store.engine.connect() as connection:
        results, runs = Result.__table__, Run.__table__
        named = select(runs.c.id).where(runs.c.name.startswith("killed-") | (runs.c.name == "whole"))
        there = connection.scalar(
            select(func.count()).select_from(results).where(results.c.run_id.in_(named))
        )
    with store.session() as session:
        whole = session.scalar(
            select(func.count()).where(Run.name.startswith("killed-") | (Run.name == "whole"))
        )
    return (there or 0) - RECORDS * (whole or 0)


def builders(field: Field, kills: int) -> int:
    """An index build, which goes on where it was; returns how many files of the index are wrong in the end."""
    words = ("index", "demo", "demo", "--name", "killed", "--shard-rows", "1000", "--projection-dim", "8")
    for _ in range(kills):
        building = field.command(*words)
        if not _killed_within(building, 6, 25):
            break  # it was through: what is there stays
    if not (field.home / "indexes" / "killed" / "manifest.json").is_file() and field.command(*words).wait():
        return 1
    return field.command("index", "--verify", "--name", "killed", "demo", "demo").wait()


def evaluations(field: Field, kills: int) -> int:
    """An evaluation with tail-patches; returns how many runs have no figures in the end."""
    words = ("evaluate", "--runs", "bm25", "--tail-patch", "2", "--limit", "400", "--again")
    for _ in range(kills):
        _killed_within(field.command(*words), 6, 20)
    return field.command(*words[:-1]).wait()


def _killed_within(process: "subprocess.Popen[bytes]", least: float, most: float) -> bool:
    """Whether it was killed before it was through."""
    try:
        process.wait(random.uniform(least, most))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def hang(field: Field) -> None:
    """A worker that stands still is replaced."""
    until(field.site.ready, STARTS, "a worker that is ready")
    (stopped, *_) = field.site.workers()
    os.kill(stopped, signal.SIGSTOP)
    until(
        lambda: stopped not in field.site.workers() and field.site.ready(),
        300,
        "the hung worker to be replaced",
    )
