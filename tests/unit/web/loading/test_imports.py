"""An import is a job: its state is true while it runs, after it broke, and after the server went away."""

import gzip
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select, update

from app.errors import NotFound, UserError
from app.interchange.fields import Fields
from app.store import jobs, leases
from app.store.engine import Store
from app.store.tables import Corpus
from app.store.work_tables import Job
from app.web.loading.imports import Finish, Imports, ImportState, Report
from app.web.loading.multipart import LEFT
from app.web.loading.names import presets, run_name, unused
from app.web.loading.taking_in import load_results
from tests.support import bombs
from tests.support.pair_files import jsonl, record


def finished(imports: Imports, id_: str) -> ImportState:
    for _ in range(200):
        if (now := imports.get(id_)).over:
            return now
        time.sleep(0.02)
    raise AssertionError(f"still {now.stage}")


@pytest.fixture
def imports(store: Store, tmp_path: Path) -> Iterator[Imports]:
    made = Imports(store, tmp_path)
    yield made
    made.close()


def test_an_import_tells_how_far_it_is_and_ends_with_its_run(imports: Imports, store: Store) -> None:
    """To whoever looks, in this process and in others; the lease is renewed by it."""
    seen = []

    def work(report: Report, finish: Finish) -> None:
        for done in (1, 2, 3):
            report("importing", done, 3)
            seen.append((imports.get(id_).stage, imports.get(id_).done))
        with store.session() as session:
            session.add(Corpus(name="new"))
            finish(session, "my-run", 5)

    id_ = imports.new()
    imports.path(id_).write_text("…")
    imports.start(id_, "f.jsonl", "my run", work)
    last = finished(imports, id_)
    assert seen == [("importing", 1), ("importing", 2), ("importing", 3)]
    assert (last.stage, last.run, last.examples) == ("done", "my-run", 5)
    imports.close()
    assert not imports.path(id_).exists()


def test_a_broken_line_is_named_and_the_file_removed(imports: Imports) -> None:
    def work(report: Report, finish: Finish) -> None:
        raise UserError(
            "“score” is no number.", remedy="Mend it.", file="f", line=7, field="proponent_scores"
        )

    id_ = imports.new()
    imports.path(id_).write_text("…")
    imports.start(id_, "f.jsonl", "r", work)
    last = finished(imports, id_)
    assert last.stage == "failed"
    assert last.problem is not None
    assert (last.problem.line, last.problem.field, last.problem.remedy) == (7, "proponent_scores", "Mend it.")
    imports.close()
    assert not imports.path(id_).exists()


def test_an_import_that_was_given_up_saves_nothing(imports: Imports, store: Store) -> None:
    """The run and the end of its job are one transaction: nobody finds a run whose import failed."""

    def work(report: Report, finish: Finish) -> None:
        with store.session() as session:
            session.execute(
                update(Job).where(Job.id == id_).values(state="failed", error={"message": "Late."})
            )
        with store.session() as session:
            session.add(Corpus(name="new"))
            session.flush()
            finish(session, "my-run", 5)

    id_ = imports.new()
    imports.start(id_, "f.jsonl", "r", work)
    assert finished(imports, id_).stage == "failed"
    imports.close()
    with store.session() as session:
        assert session.scalar(select(func.count()).select_from(Corpus)) == 0


@pytest.mark.parametrize("state", ["queued", "running"])
def test_an_import_whose_server_died_does_not_wait_forever(
    imports: Imports, store: Store, state: str
) -> None:
    gone = f"{imports._name.split('/')[0]}/999999999/x"
    with store.session() as session:
        request = {"file": "f.jsonl", "run": "r"}
        id_ = jobs.add(session, "import", request, limit=9, worker=gone).id
        if state == "running":
            leases.claim(session, gone, 1, ["import"])
    got = imports.get(id_)
    assert got.stage == "failed"
    assert got.problem is not None
    assert "again" in got.problem.remedy


def test_a_file_that_an_import_takes_away_meanwhile_breaks_no_other(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins looks through what was left; an import that ended in between was a 500."""
    imports.new()
    gone = imports.directory / "gone.data"
    monkeypatch.setattr(Path, "iterdir", lambda _directory: iter([gone]))
    assert imports.new()


@pytest.mark.parametrize("id_", ["0" * 16, "../../etc/passwd", "", "ABCDEF0123456789"])
def test_unknown_imports_are_not_found(imports: Imports, id_: str) -> None:
    with pytest.raises(NotFound):
        imports.get(id_)


def test_presets_are_the_results_files_of_the_home(tmp_path: Path) -> None:
    assert presets(tmp_path) == []
    (tmp_path / "presets").mkdir()
    for name in ("b.jsonl", "a.jsonl.gz", "notes.txt"):
        (tmp_path / "presets" / name).touch()
    assert [p.name for p in presets(tmp_path)] == ["a.jsonl.gz", "b.jsonl"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("c4_trex-trackstar.jsonl.gz", "c4_trex-trackstar"),
        ("C:\\Users\\me\\my results.jsonl", "my results"),
        ("../../<b>x.jsonl", "bx"),
        ("\0", "uploaded"),
    ],
)
def test_a_run_is_named_after_its_file(file: str, name: str) -> None:
    assert run_name(file) == name


def test_a_taken_name_gets_a_number() -> None:
    assert unused("r", {"r", "r-2"}.__contains__) == "r-3"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("make", [bombs.one_line, bombs.many_lines])
def test_a_bomb_is_refused_before_anything_of_it_is_kept(
    store: Store, tmp_path: Path, make: Callable[[], bytes]
) -> None:
    path = bombs.write(tmp_path / "1.data.jsonl", make())
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(UserError, match=r"bomb\.jsonl\.gz: More than 500 bytes come out"):
        load(store, path, "bomb.jsonl.gz")
    assert time.monotonic() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_room_is_asked_for_what_comes_out_of_a_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten megabytes became two gigabytes of disk."""
    path = bombs.write(tmp_path / "1.data.jsonl", gzip.compress(jsonl([record(n) for n in range(200)])))
    free = LEFT + 2 * path.stat().st_size  # enough for the file, and not for what is in it
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(UserError, match="disk is too full") as caught:
        load(store, path, "results.jsonl.gz")
    assert caught.value.status == 507


def load(store: Store, path: Path, file: str) -> None:
    """As an upload does."""
    load_results(
        store,
        path,
        file,
        "bomb",
        Fields(),
        rename=False,
        limit=200 << 20,
        report=lambda *_: None,
        finish=lambda *_: None,
    )
