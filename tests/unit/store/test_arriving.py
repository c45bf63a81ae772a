"""An import in steps (SQLite): others write meanwhile, nobody sees a part of it, and nothing is left of one that died."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import DeclarativeBase

from app.errors import UserError
from app.interchange import results_in
from app.interchange.results import export_results, import_results
from app.store import arriving, workers
from app.store.arriving import arrival, sweep
from app.store.engine import Store
from app.store.full_text import search_passages
from app.store.readers import READER, SCOPES, Visitor
from app.store.runs import get_run, list_runs
from app.store.schema import METADATA
from app.store.tables import Corpus, Model, Output, Passage, Prompt, PromptSet, Result, Run
from app.store.taking_down import take_down
from app.store.work_tables import Arriving
from tests.support.paper_records import paper_record, write

TABLES: tuple[type[DeclarativeBase], ...] = (Run, Corpus, PromptSet, Model, Passage, Prompt, Output, Result)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_in, "AT_ONCE", 2)
    monkeypatch.setattr(arriving, "SWEPT", 3)


@pytest.fixture
def store(store: Store) -> Store:
    """One in which no two kinds of rows are at the same number: a condition on one kind held for all of them."""
    with store.session() as session:
        session.add(Corpus(name="other"))
        session.add_all(PromptSet(name=f"other {n}") for n in range(2))
        session.add_all(Model(name=f"other {n}") for n in range(3))
    return store


def bring(store: Store, path: Path, run: str, then: Callable[[], None] = lambda: None) -> None:
    """Import a file; `then` happens after each of its steps."""
    with arrival(store) as arrives:
        step = arrives.step

        def stepping() -> None:
            step()
            then()

        arrives.step = stepping  # type: ignore[method-assign]  # looks on
        import_results(arrives.session, path, run=run, arrival=arrives)


def seen(store: Store) -> dict[str, int]:
    """What a session of commands and workers counts of each table."""
    with store.session() as session:
        counted = {
            each.__tablename__: session.scalar(select(func.count()).select_from(each)) for each in TABLES
        }
        names = {
            run.slug: (run.corpus.name, run.prompt_set.name, run.model.name) for run in list_runs(session)
        }
    assert set(names.values()) <= {("imported", "imported", "imported")}
    return {name: count or 0 for name, count in counted.items()}


def kept(store: Store) -> dict[str, int]:
    """Rows of every table, whoever may see them."""
    with store.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in METADATA.sorted_tables
        }


def die(store: Store, path: Path, run: str) -> None:
    """What a process leaves that is killed in the middle of an import."""
    steps = iter(range(4))

    def interrupt() -> None:
        if next(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(store, path, run, interrupt)


@pytest.fixture
def abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is killed cleans nothing up."""
    monkeypatch.setattr(arriving, "_give_up", lambda store, owner: None)


def of_the_dead(store: Store) -> None:
    with store.session() as session:
        session.execute(update(Arriving).values(owner=f"{workers.new_name().split('/')[0]}/999999999/dead"))


def records(first: int, many: int = 9) -> list[dict[str, Any]]:
    return [paper_record(number) for number in range(first, first + many)]


def watching(store: Store, path: Path, run: str) -> list[dict[str, int]]:
    """What others see at each step of an import; each of them writes, too."""
    looks: list[dict[str, int]] = []
    database = store.engine.url.database
    assert database

    def look() -> None:
        looks.append(seen(store))
        with closing(sqlite3.connect(database, timeout=0.1, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")

    bring(store, path, run, look)
    return looks


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_others_write_meanwhile_and_see_nothing_of_it_until_all_is_there(
    store: Store, tmp_path: Path
) -> None:
    """An import of 15 s was 15 s in which no trace was saved. What it shares with earlier ones changes last."""
    nothing = seen(store)
    file = write(tmp_path / "a.jsonl", records(0))
    assert all(each == nothing for each in watching(store, file, "a"))
    first = seen(store)
    assert (first["runs"], first["results"], first["prompts"]) == (1, 9, 9)
    more = write(tmp_path / "b.jsonl", records(5, 8))  # four of them are known already
    looks = watching(store, more, "b")
    assert len(looks) >= 4
    assert all(each == first for each in looks)
    with store.session() as session:
        assert [*export_results(session, get_run(session, "b"))] == records(5, 8)
        assert len(search_passages(session, "mural")) == 1  # its words are searched


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_of_a_reader_sees_nothing_of_it_either(store: Store, tmp_path: Path) -> None:
    nothing = seen(store)
    reader = READER.set(Visitor("admin", frozenset(SCOPES)))
    try:
        assert all(each == nothing for each in watching(store, write(tmp_path / "a.jsonl", records(0)), "a"))
    finally:
        READER.reset(reader)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("abandoned")
def test_nothing_is_left_of_an_import_that_was_killed(store: Store, tmp_path: Path) -> None:
    """Beside what was there before, in the same corpus, prompt set and model; swept in small steps."""
    bring(store, write(tmp_path / "a.jsonl", records(0)), "a")
    before, looks = kept(store), seen(store)
    die(store, write(tmp_path / "b.jsonl", records(4)), "b")
    assert kept(store)["results"] > before["results"]
    assert seen(store) == looks
    assert sweep(store)  # its process lives, for all one knows: nothing is taken away
    assert kept(store)["results"] > before["results"]
    of_the_dead(store)
    assert not sweep(store, steps=1)
    assert seen(store) == looks
    while not sweep(store, steps=1):
        assert seen(store) == looks
    assert kept(store) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("abandoned")
def test_the_next_import_clears_the_place_first_and_has_the_same_name(store: Store, tmp_path: Path) -> None:
    before = kept(store)
    file = write(tmp_path / "a.jsonl", records(0))
    die(store, file, "a")
    of_the_dead(store)
    bring(store, file, "a")
    with store.session() as session:
        assert [*export_results(session, get_run(session, "a"))] == records(0)
    assert kept(store)["arriving"] == before["arriving"] == 0


def test_an_error_in_the_last_record_leaves_nothing(store: Store, tmp_path: Path) -> None:
    before = kept(store)
    broken = [*records(0), {"inputs_plaintext": "no target"}]
    with pytest.raises(UserError, match="targets_plaintext"):
        bring(store, write(tmp_path / "a.jsonl", broken), "a")
    assert kept(store) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_was_taken_for_dead_brings_nothing(store: Store, tmp_path: Path) -> None:
    """A laptop that slept: the worker swept meanwhile, so the rest must not become half a run."""
    before = kept(store)

    def sleep() -> None:
        of_the_dead(store)
        sweep(store)

    with pytest.raises(UserError, match="given up"):
        bring(store, write(tmp_path / "a.jsonl", records(0)), "a", sleep)
    assert kept(store) == before


@pytest.mark.parametrize(
    ("kind", "name"), [("passage", ""), ("prompt", ""), ("run", "first"), ("corpus", "imported")]
)
def test_what_is_taken_down_while_an_import_brings_it_again(
    store: Store, tmp_path: Path, kind: str, name: str
) -> None:
    """The import is refused, and what is taken down is gone: on PostgreSQL a corpus ended in a 500, and a passage came back."""
    with arrival(store) as arrives:
        file = write(tmp_path / "first.jsonl", records(0, 4))
        first = import_results(arrives.session, file, run="first", arrival=arrives)
        prompt = arrives.session.scalars(select(Prompt.slug).where(Prompt.text.contains("Painter 1 "))).one()
        passage = arrives.session.scalars(select(Passage.id).where(Passage.text == "Paris in spring.")).one()
    name = name or {"passage": str(passage), "prompt": f"{first.slug}/{prompt}"}[kind]
    errors: list[Exception] = []

    def take() -> None:
        try:
            with store.session() as session:
                take_down(session, kind, name, "It was asked for.")
        except Exception as error:
            errors.append(error)

    taking = threading.Thread(target=take)

    def begin() -> None:  # on SQLite it is through before the next step, on PostgreSQL it waits for our end
        if taking.ident is None:
            taking.start()
            taking.join(0.3)

    with pytest.raises(UserError, match="taken down") as refused:
        bring(store, write(tmp_path / "a.jsonl", records(0)), "a", begin)
    taking.join(30)
    assert refused.value.status == 409
    assert errors == []
    assert kept(store)["arriving"] == 0
    left = {"passage": {"first"}, "prompt": {"first"}, "run": set(), "corpus": set()}[kind]
    with store.session() as session:
        assert {run.slug for run in list_runs(session)} == left
        assert search_passages(session, "spring") == [] or kind not in ("passage", "corpus")
        texts = set(session.scalars(select(Prompt.text)))
        assert any("Painter 1 " in text for text in texts) == (kind != "prompt")
        assert not any("Painter 8 " in text for text in texts), "nothing of the refused import"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_import_waits_and_not_for_ever(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "WAITS", 0.1)
    file = write(tmp_path / "a.jsonl", records(0, 2))

    def second() -> None:
        with pytest.raises(UserError, match="Another import"):
            bring(store, file, "b")

    bring(store, file, "a", second)
    bring(store, file, "b")


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_killed_by_the_system(store: Store, tmp_path: Path) -> None:
    """By SIGKILL at its third step; the rows are there, and the next one's sweep takes them away."""
    before = kept(store)
    file = write(tmp_path / "a.jsonl", records(0))
    killing = (
        "import os, sys; from app.store import arriving; from app.interchange import results_in; results_in.AT_ONCE = 2\n"
        "step, left = arriving._InSteps.step, iter(range(3))\n"
        "def stepping(self):\n"
        "    step(self)\n"
        "    if next(left) == 2: os.kill(os.getpid(), 9)\n"
        "arriving._InSteps.step = stepping\n"
        "from app.cli.main import app; app(['import', sys.argv[1], '--run', 'a'])"
    )
    url = str(store.engine.url)
    killed = subprocess.run(
        [sys.executable, "-c", killing, str(file)],
        env={**os.environ, "STARTRAIL_DATABASE_URL": url, "STARTRAIL_HOME": str(tmp_path)},
    )
    assert killed.returncode == -9
    assert kept(store)["results"]
    assert seen(store)["results"] == seen(store)["prompts"] == 0
    assert sweep(store)
    assert kept(store) == before
