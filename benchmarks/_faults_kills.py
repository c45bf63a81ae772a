"""SIGKILL at any moment, of everything that works on a home; see `faults`."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from _faults_site import STARTS, Field, stop, until, written
from sqlalchemy import func, select

from app.store.engine import Store
from app.store.tables import Passage, Prompt, Result, Retrieved, Run
from app.store.work_tables import Trace

RECORDS = 20_000  # of the file that is imported again and again
PARTS = 100  # of the index that is built again and again


def servers(field: Field, kills: int) -> None:
    """The server itself; its worker ends by itself."""
    for _ in range(kills):
        time.sleep(random.uniform(0.5, 3))
        field.site.kill()
        field.site.start()


def workers(field: Field, kills: int) -> None:
    """The worker, every fourth time at any moment of its beginning, else once it has answered something: on a busy machine
    most would die before they came to load. A question that three workers die over is given up, by design; so each goes on.
    """
    for number in range(kills):
        until(lambda: bool(field.site.workers()), STARTS, "a worker")
        if number % 4 != 3:
            _another_answer(field.people.store)
        time.sleep(random.uniform(0.5, 8 if number % 4 == 3 else 2))
        for worker in field.site.workers():
            stop(worker)


def _another_answer(store: Store) -> None:
    before = _answered(store)
    until(lambda: _answered(store) > before, STARTS, "an answer")


def _answered(store: Store) -> int:
    with store.session() as session:
        return session.scalar(select(func.count()).select_from(Trace)) or 0


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
    """An index build in small parts, which goes on where it was; returns how many parts were written again though they were
    whole, and whether the index is wrong in the end.
    """
    with field.people.store.session() as session:  # the small passages of a small home are encoded in seconds
        rows = max(1, (session.scalar(select(func.count()).select_from(Passage)) or 0) // PARTS)
    words = ("index", "demo", "demo", "--name", "killed", "--shard-rows", str(rows), "--projection-dim", "8")
    place = field.home / "indexes" / "killed"
    parts, found, again = place.with_name(".killed.building"), 0, 0

    def build(_anew: bool) -> "subprocess.Popen[bytes]":
        if place.is_dir():  # it was through
            shutil.rmtree(place)
        return field.command(*words)

    for number in range(kills):
        before = _whole(parts)
        anew = _kill(build, lambda: len(_whole(parts)), number)
        if not anew and not place.is_dir():  # killed at its very end, it may be whole
            found += len(before)
            again += len(before.items() - _whole(parts).items())
    print(f"index build: {kills} kills, {found} whole parts found, {again} of them written again", flush=True)
    if build(False).wait():
        return again + 1
    return again + field.command("index", "--verify", "killed", "demo", "demo").wait()


def _whole(place: Path) -> dict[str, float]:
    """The parts of an index in the making that are whole, which a note beside each says, and when each was written."""
    noted = [each.with_suffix(".npy") for each in place.glob("encodings-*.json")]
    return {each.name: each.stat().st_mtime for each in noted if each.is_file()}


def evaluations(field: Field, kills: int) -> int:
    """An evaluation with tail-patches; returns how many steps it lost that were measured, and whether it fails in the end."""
    words = ("evaluate", "--runs", "bm25", "--tail-patch", "3", "--task", "")
    found, lost = 0, 0
    field.command(*words, "--limit", "1", "--again").wait()
    for number in range(kills):
        before = _measured(field.people.store)

        def evaluate(anew: bool) -> "subprocess.Popen[bytes]":
            return field.command(*words, *(["--again"] if anew else []))

        if not _kill(evaluate, lambda: _measured(field.people.store), number):
            found += before
            lost += max(0, before - _measured(field.people.store))
    print(f"evaluation: {kills} kills, {found} measured steps found, {lost} of them lost", flush=True)
    return lost + field.command(*words, "--limit", "20").wait()


def _measured(store: Store) -> int:
    with store.session() as session:
        of_run = select(Result.id).join(Run).where(Run.slug == "bm25")
        measured = (Retrieved.result_id.in_(of_run), Retrieved.tail_patch.is_not(None))
        return session.scalar(select(func.count()).select_from(Retrieved).where(*measured)) or 0


def _kill(start: Callable[[bool], "subprocess.Popen[bytes]"], done: Callable[[], int], number: int) -> bool:
    """SIGKILL, every fourth time at any moment of its beginning, else once it has done more than those before it. What is
    through by then is begun anew, so that each kill meets something at work; whether it was.
    """
    anew = False
    while True:
        before, early = 0 if anew else done(), number % 4 == 3
        process = start(anew)
        while process.poll() is None and not early and done() <= before:
            time.sleep(0.05)
        with suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0, 8 if early else 0.5))
        if process.poll() is None:
            process.kill()
            process.wait()
            return anew
        anew = True


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
