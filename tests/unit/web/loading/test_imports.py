"""An import's state on disk: true while it runs, after it broke, and after the server went away."""

import time
from pathlib import Path

import pytest

from app.errors import NotFound, UserError
from app.web.loading.imports import STALE_SECONDS, Imports, Job, Report, presets, run_name, unused


def finished(imports: Imports, job: Job) -> Job:
    for _ in range(200):
        if (now := imports.get(job.id)).over:
            return now
        time.sleep(0.02)
    raise AssertionError(f"still {now.stage}")


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path)


def test_an_import_tells_how_far_it_is_and_ends_with_its_run(imports: Imports) -> None:
    seen = []

    def work(report: Report) -> tuple[str, int]:
        for done in (1, 2, 3):
            report("importing", done, 3)
        seen.append(imports.get(job.id).stage)
        return "my-run", 5

    job = imports.new("f.jsonl", "my run")
    imports.path(job).write_text("…")
    imports.start(job, work)
    last = finished(imports, job)
    assert seen == ["importing"]
    assert (last.stage, last.run, last.examples, last.total) == ("done", "my-run", 5, 3)
    assert not imports.path(job).exists()


def test_a_broken_line_is_named_and_the_file_removed(imports: Imports) -> None:
    def work(report: Report) -> tuple[str, int]:
        raise UserError(
            "“score” is no number.", remedy="Mend it.", file="f", line=7, field="proponent_scores"
        )

    job = imports.new("f.jsonl", "r")
    imports.path(job).write_text("…")
    imports.start(job, work)
    last = finished(imports, job)
    assert last.stage == "failed"
    assert last.problem is not None
    assert (last.problem.line, last.problem.field, last.problem.remedy) == (7, "proponent_scores", "Mend it.")
    assert not imports.path(job).exists()


def test_an_import_whose_server_died_does_not_wait_forever(imports: Imports) -> None:
    job = imports.new("f.jsonl", "r")
    stale = job.model_copy(update={"stage": "importing", "seen_at": time.time() - STALE_SECONDS - 1})
    (imports.directory / f"{job.id}.json").write_text(stale.model_dump_json())
    got = imports.get(job.id)
    assert got.stage == "failed"
    assert got.problem is not None
    assert "again" in got.problem.remedy


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
