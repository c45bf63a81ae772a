"""What `startrail evaluate` says: the page's tables on a terminal, as JSON and as Markdown."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.evaluation_tables import report_tables, show
from app.cli.main import app
from app.cli.progress import console
from app.evaluation.judged import Judged
from app.evaluation.report import task_figures
from app.evaluation.shares import Shares
from app.evaluation.text_tables import Table, ais_said, rules_said, settings_said
from app.interchange.results import import_results
from app.settings import get_settings
from app.store.engine import open_store
from tests.support.commands import refused, startrail
from tests.support.evaluated import QUALITY, SETTINGS, fill
from tests.support.homes import filled_home

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with a dozen runs that nobody evaluated yet."""
    with filled_home(tmp_path, lambda session: fill(session, evaluate=False)) as home:
        yield home


def tables(markdown: str) -> dict[str, list[list[str]]]:
    """Title -> rows of cells, the first being the heads."""
    found: dict[str, list[list[str]]] = {}
    for line in markdown.splitlines():
        if line.startswith("### "):
            found[line[4:]] = []
        elif line.startswith("| "):
            found[next(reversed(found))].append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def test_terminal_json_and_markdown_say_the_same(home: Path) -> None:
    runs = ",".join(method.replace("+", "-").replace("_", "-").strip("-").lower() for method in QUALITY)
    files = ["--json", str(home / "e.json"), "--markdown", str(home / "e.md")]
    done = CliRunner().invoke(app, ["evaluate", "--runs", runs, "--against", "bm25", *files])
    assert done.exit_code == 0, done.output
    report = json.loads((home / "e.json").read_text())
    text = (home / "e.md").read_text()
    found = tables(text)

    heads, *rows = found["Facts of atlas: 24 prompts"]
    assert [row[0] for row in rows] == [run["name"] for run in report.values()]
    assert len(rows) == len(QUALITY)
    for row, run in zip(rows, report.values(), strict=True):
        said = dict(zip(heads, row, strict=True))
        mrr = run["tasks"]["fact"]["overall"]["mrr"]
        assert said["MRR"] == f"{mrr['mean']:.3f} [{mrr['low']:.3f}, {mrr['high']:.3f}]"
        assert f"{mrr['mean']:.3f}" in done.output
        assert run["tail_patch_settings"] == SETTINGS

    higher = found["Facts of atlas: how much higher than BM25"]
    assert [row[0] for row in higher[1:]] == [run["name"] for slug, run in report.items() if slug != "bm25"]
    assert found["Facts of atlas: tail-patch of the first k"][0][1:] == [
        f"tail-patch@{k} (pp)" for k in (1, 3, 5, 10)
    ]
    buckets = found["Facts of atlas: MRR by frequency in the corpus"]
    assert buckets[0][1:] == ["once", "2 to 3 times", "4 to 7 times"]
    for by in ("relation", "the model’s answer", "the model’s confidence"):
        assert len(found[f"Facts of atlas: tail-patch@10 by {by}"]) == len(QUALITY) + 1
    for row in found["Facts of atlas: types of the first 10 passages, shares"][1:]:
        assert sum(map(float, row[1:])) == pytest.approx(1, abs=0.004)
    parted = [found[f"Facts of atlas: types of the first 10 passages where the model answers {said}, shares"]
              for said in ("right", "wrong")]  # fmt: skip
    assert [len(each) for each in parted] == [len(QUALITY) + 1] * 2
    assert parted[0] != parted[1]
    assert "As DATE-LM measures, left out" in text
    assert "it keeps 10 passages of a prompt" in text
    assert text.count("1 step of Adafactor at learning rate 0.003") >= 6, "no tail-patch without its settings"
    assert "the corpus knows what each of its passages states" in text
    assert "by the model’s confidence" not in done.output, "a terminal shows one slice"
    assert "Arithmetic of atlas: 6 prompts" in done.output


def test_a_slice_that_is_none_is_refused_before_any_work(home: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", "--by", "colour"])
    assert done.exit_code == 2
    assert "There is no slice “colour”" in done.stderr


def test_a_task_that_is_none_is_refused_before_any_work(home: Path) -> None:
    """It was taken for a task without prompts: nothing was measured, and nothing said why."""
    done = CliRunner().invoke(app, ["evaluate", "--tail-patch", "1", "--task", "facts"])
    assert done.exit_code == 2
    assert "There is no task “facts”" in done.stderr


@pytest.mark.parametrize("option", ["--json", "--markdown"])
def test_a_file_that_cannot_be_written_is_one_error(
    home: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is refused before the work; what only writing shows, after it and without a traceback."""
    done = CliRunner().invoke(app, ["evaluate", "--runs", "bm25", option, str(home)])
    assert done.exit_code == 2
    assert "It is a folder" in done.stderr

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = CliRunner().invoke(app, ["evaluate", "--runs", "bm25", option, str(home / "e")])
    assert done.exit_code == 2
    assert "It cannot be written: No space left on device" in done.stderr


def test_runs_of_one_name_are_two_rows(home: Path) -> None:
    """Runs of two models may be called the same; neither may take the other's place."""
    done = CliRunner().invoke(
        app, ["evaluate", "--runs", "bm25,bm25-step-100", "--markdown", str(home / "e.md")]
    )
    assert done.exit_code == 0, done.output
    store = open_store(get_settings().url)
    with store.session() as session:
        from app.store.runs import get_run

        get_run(session, "bm25-step-100").name = "BM25"
    store.engine.dispose()
    CliRunner().invoke(app, ["evaluate", "--runs", "bm25,bm25-step-100", "--markdown", str(home / "e.md")])
    rows = tables((home / "e.md").read_text())["Facts of atlas: 24 prompts"]
    assert [row[0] for row in rows[1:]] == ["BM25 (bm25)", "BM25 (bm25-step-100)"]


def test_runs_measured_by_different_steps_are_told_apart() -> None:
    other = {"optimizer": "adamw", "learning_rate": 1e-4, "steps": 2}
    assert settings_said({"a": None, "b": None}) == ""
    alike = settings_said({"a": SETTINGS, "b": SETTINGS, "c": None})
    assert "after 1 step of Adafactor at learning rate 0.003 on each passage" in alike
    both = settings_said({"a": SETTINGS, "b": SETTINGS, "c": other})
    assert "1 step of Adafactor at learning rate 0.003 (a, b)" in both
    assert "2 steps of AdamW at learning rate 0.0001 (c)" in both
    some = [{"prompts": 9, "overall": {"mrr": {"count": 9}, "tail_patch_1": {"count": 4}}}]
    assert settings_said({"a": SETTINGS}, some).endswith("Over 4 of the prompts.")


def test_it_is_said_by_which_rules_passages_were_classed() -> None:
    exact, words = {"exact": 10, "by words": 0}, {"exact": 0, "by words": 5}
    assert rules_said([exact, None]).startswith("By exact rules")
    assert rules_said([words]).startswith("By the words")
    assert rules_said([exact, words]) == (
        "10 passages by exact rules (the corpus knows what they state), 5 by their words."
    )


def test_it_is_said_who_gave_ais_scores() -> None:
    assert ais_said([{"ais_threshold": 0.5}]).endswith("from a score of 0.5 on, as the files give them.")
    scored: list[dict[str, object]] = [{"ais_threshold": 0.7, "ais_model": "nli"}, {"ais_threshold": 0.7}]
    assert ais_said(scored).endswith("from a score of 0.7 on, as the files give them or else nli.")


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_terminal_cuts_neither_names_nor_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """Of two runs of one beginning the same letters were shown, and the last numbers lost their digits."""
    monkeypatch.setattr(console, "_width", width)
    heads = ["states the fact", "names subject and target", "same relation, another subject", "names the target",
             "names the subject", "part of a name", "none of these"]  # fmt: skip
    names = ("demo-trackstar-0.3", "demo-trackstar-0.5", "x" * 200)
    body = [[name, *(f"0.{n}{at}{at}" for at in range(7))] for n, name in enumerate(names)]
    show(Table("Types", heads, body, part=True))
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    said = ["".join(row[at].strip() for row in rows) for at in range(1, 9)]
    assert said == ["".join(column) for column in zip(*body, strict=True)]


def test_a_relation_that_no_file_can_hold_is_written_as_its_escape(home: Path) -> None:
    """The importer lets lone surrogates in; here they ended evaluate in a traceback when all was computed."""
    store = open_store(get_settings().url)
    with store.session() as session:
        brought = {"example_id": "x", "inputs_plaintext": "q", "targets_plaintext": "a", "task": "fact"}
        file = home / "odd.jsonl"
        record = brought | {"relation": "\ud800", "proponents": ["a"], "proponent_correct": [True]}
        file.write_text(json.dumps(record))
        import_results(session, file, run="odd")
    store.engine.dispose()
    files = ["--json", str(home / "e.json"), "--markdown", str(home / "e.md")]
    done = CliRunner().invoke(app, ["evaluate", "--runs", "odd", "--by", "relation", *files])
    assert done.exit_code == 0, done.output
    report = json.loads((home / "e.json").read_text(encoding="utf-8"))
    assert list(report["odd"]["tasks"]["fact"]["slices"]["relation"]) == ["\ud800"]
    assert "\\ud800" in (home / "e.md").read_text(encoding="utf-8")


def test_names_in_a_note_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show(Table("Measures", ["MRR"], [["a", "0.1"]], "1 step of adafactor (a, [/b])"))
    assert "1 step of adafactor (a, [/b])" in capsys.readouterr().out


def test_names_cannot_break_a_markdown_table() -> None:
    text = Table("t", ["a"], [["one | two\nthree", "1"]]).markdown()
    assert "| one \\| two three | 1 |" in text


def test_runs_that_keep_fifty_passages_have_a_table_as_date_lm_measures() -> None:
    """And it is said which runs are not in it, and why."""
    kept = [False, True, *[False] * 47, True]
    facts = {
        name: task_figures(
            Shares.of([Judged(1, "fact", judgeable=True, correct=kept[:depth], relevant=4, counted=True)]),
            "fact",
        )
        for name, depth in (("deep", 50), ("shallow", 10))
    }
    report = {
        name: {"name": name, "prompt_set": "s", "tasks": {"fact": each | {"against": {}}}}
        for name, each in facts.items()
    }
    found = {table.title: table for table in report_tables(report)}["Facts of s: as DATE-LM measures"]
    assert found.body == [["deep", "0.500 [0.500, 0.500]", "0.500 [0.500, 0.500]"]]
    assert "Left out: shallow (it keeps 10 passages of a prompt; startrail retrieve -k 50" in found.note


def test_a_cluster_is_refused_where_it_would_do_nothing_and_where_ray_is_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is computed."""
    monkeypatch.setitem(sys.modules, "ray", None)
    refused(startrail("evaluate", "--cluster", "auto"), "--tail-patch N or --ais")
    refused(startrail("evaluate", "--tail-patch", 1, "--cluster", "auto"), "pip install 'startrail[ray]'")
