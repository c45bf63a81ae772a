"""Whoever doubts a figure can recompute it: from exported files, by a script that knows nothing of Startrail."""

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from app.cli.main import app
from app.evaluation.classify import classify_run
from app.evaluation.metrics import DRAWN_TO, estimate
from app.evaluation.report import evaluate_runs
from app.evaluation.text_tables import rules_said
from app.interchange.results import export_results, import_results
from app.store.engine import open_store
from app.store.runs import get_run
from app.store.tables import Passage, Result, Retrieved, Statement
from app.words.measures import LABELS
from tests.support.evaluated import fill
from tests.support.homes import filled_home

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[3] / "docs" / "recompute.py"
RUNS = ("bm25", "random", "trackstar", "trackstar-step-100")
LINE = re.compile(r"(\w+) +(.+?) +(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]  ([\d,]+) prompts")
Figures = dict[Any, tuple[float, ...]]  # task and measure, or measure -> mean, low, high, count


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `evaluation.json` and the files of four runs, made by the commands; one run has AIS scores."""
    with filled_home(tmp_path_factory.mktemp("exported"), _fill) as folder:
        _command("evaluate", "--runs", ",".join(RUNS), "--json", str(folder / "evaluation.json"))
        for run in RUNS:
            _command("export", run, "-o", str(folder / f"{run}.jsonl"))
        yield folder


def _fill(session: Session) -> None:
    fill(session, evaluate=False)
    bm25 = get_run(session, "bm25")
    own = Retrieved.result_id.in_(session.query(Result.id).where(Result.run_id == bm25.id))
    # Some scores lie on the threshold, some are missing.
    for rank, score in ((1, 0.3), (2, 0.5), (3, 0.9), (5, 0.49)):
        session.execute(update(Retrieved).where(own, Retrieved.rank == rank).values(ais_score=score))
    session.execute(update(Retrieved).where(own, Retrieved.rank == 7).values(tail_patch=None))
    _deepen(session, "random")


def _deepen(session: Session, slug: str, more: int = 42) -> None:
    """So many more passages of each prompt, for figures that look at fifty."""
    run = get_run(session, slug)
    every = sorted(session.scalars(select(Passage.id).where(Passage.corpus_id == run.corpus_id)))
    stating = set(session.execute(select(Statement.prompt_id, Statement.passage_id)).tuples())
    added = []
    for result, prompt in session.execute(
        select(Result.id, Result.prompt_id).where(Result.run_id == run.id)
    ).all():
        there = set(session.scalars(select(Retrieved.passage_id).where(Retrieved.result_id == result)))
        for rank, id_ in enumerate([id_ for id_ in every if id_ not in there][:more], 11):
            added.append(
                {"result_id": result, "side": "proponent", "rank": rank, "passage_id": id_, "score": -rank,
                 "correct": (prompt, id_) in stating}
            )  # fmt: skip
    session.execute(insert(Retrieved), added)


def _command(*arguments: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


@pytest.fixture
def recomputed(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """The script's figures of those lines of some runs' files that are wanted."""

    def run(*names: str, wanted: Any = lambda record: True) -> Figures:
        files = [tmp_path / f"{name}.jsonl" for name in names]
        for file in files:
            lines = (exported / file.name).read_bytes().splitlines(keepends=True)
            file.write_bytes(b"".join(line for line in lines if wanted(json.loads(line))))
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, files)])
        capsys.readouterr()
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return printed(capsys.readouterr().out)

    return run


def printed(text: str) -> Figures:
    """The script's lines, every one of them, as numbers."""
    found: Figures = {}
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        task, name, *numbers = match.groups()
        found[task, name] = tuple(float(number.replace(",", "")) for number in numbers)
    return found


def shown(exported: Path) -> dict[str, Any]:
    """What the page says of each run."""
    return json.loads((exported / "evaluation.json").read_text())


def of_task(task: str, figures: Figures) -> Figures:
    """Those of one task, by their names on the page."""
    return {name: each for (its, name), each in figures.items() if its == task}


def same(ours: Figures, theirs: dict[str, dict[str, float]]) -> int:
    """Compare what the script printed of measures with what the page says of them: the same ones, the same numbers.

    Returns:
        how many numbers.
    """
    measured = {name: figures for name, figures in ours.items() if name in LABELS.values()}
    assert set(measured) == {LABELS[name] for name in theirs}
    for name, each in theirs.items():
        expected = [each[part] for part in ("mean", "low", "high", "count")]
        assert measured[LABELS[name]] == pytest.approx(expected, abs=1e-6), name
    return 4 * len(theirs)


PARTS = {  # of a slice: whether an exported record is of the part that the page names
    "relation": lambda record, part: record.get("relation") == part,
    "bucket": lambda record, part: record.get("c4_frequency_bucket") == int(part),
    "right": lambda record, part: record.get("is_8b_correct") == (part == "yes"),
    "confidence": lambda record, part: (record.get("8b_confidence", -1) >= 0.5) == (part == "high"),
}


@pytest.mark.parametrize("run", RUNS)
def test_every_figure_of_the_page_comes_out_again(exported: Path, recomputed: Any, run: str) -> None:
    """Measures, overall and of each part of each slice, and types by rank."""
    numbers = 0
    everything = recomputed(run)
    for task, page in shown(exported)[run]["tasks"].items():
        overall = of_task(task, everything)
        numbers += same(overall, page["overall"])
        assert set(page["slices"]) == set(PARTS)
        for by, parts in page["slices"].items():
            for part, figures in parts.items():
                ours = recomputed(run, wanted=lambda record, by=by, part=part: PARTS[by](record, part))
                numbers += same(of_task(task, ours), figures)
        for rank, kinds in enumerate(page["types"], 1):
            for kind, count in kinds.items():
                share, *_, typed = overall[f"{kind} at {rank}"]
                assert share * typed == pytest.approx(count, abs=1e-4)
                numbers += 1
    assert numbers > 500


@pytest.mark.parametrize("other", RUNS[1:])
def test_how_much_higher_a_run_is_comes_out_again(exported: Path, recomputed: Any, other: str) -> None:
    """The differences of two runs are paired: on the prompts both have."""
    ours = recomputed("bm25", other)
    for task, page in shown(exported)["bm25"]["tasks"].items():
        against = page["against"][other]
        compared = {LABELS[name] for name in against}
        own = {name: figures for name, figures in of_task(task, ours).items() if name in compared}
        assert same(own, against) >= 12


def test_measures_that_only_some_prompts_have_are_means_over_those(exported: Path, recomputed: Any) -> None:
    """AIS scores and a tail-patch that was not measured: the file says null, and the script leaves it out."""
    overall = of_task("fact", recomputed("bm25"))
    assert {"MRR, by AIS", "recall@3, by AIS", "tail-patch@5"} <= set(overall)
    assert "tail-patch@10" not in overall, "one of the ten was not measured"


def test_what_date_lm_measures_comes_out_again_where_fifty_passages_are_kept(
    exported: Path, recomputed: Any
) -> None:
    assert {"Recall@50, DATE-LM", "MRR, DATE-LM"} <= set(of_task("fact", recomputed("random")))
    pages = {run: shown(exported)[run]["tasks"]["fact"] for run in ("random", "bm25")}
    assert 0 < pages["random"]["overall"]["date_lm_recall"]["mean"] < 1
    assert "date_lm_recall" not in pages["bm25"]["overall"]
    assert "keeps 10 passages" in pages["bm25"]["without_date_lm"]


def test_a_file_that_was_exported_has_the_same_figures_elsewhere(
    exported: Path, recomputed: Any, tmp_path: Path
) -> None:
    """The file says which passages state each fact: what was not found counts against average precision there too."""
    store = open_store(f"sqlite:///{tmp_path / 'elsewhere.db'}", migrate=True)
    with store.session() as session:
        brought = import_results(session, exported / "trackstar.jsonl", run="brought")
        figures = evaluate_runs(session, [brought])["brought"]
    store.engine.dispose()
    everything = recomputed("trackstar")
    assert set(figures) == {"fact", "arithmetic"}
    assert sum(same(of_task(task, everything), found["overall"]) for task, found in figures.items()) > 50


def test_of_more_prompts_than_are_drawn_the_interval_is_the_same_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [
        {"example_id": n, "proponents": ["p"], "proponent_correct": [n % 7 == 0]} for n in range(DRAWN_TO + 1)
    ]
    file = tmp_path / "many.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in many))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(file)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    found = estimate([float(n % 7 == 0) for n in range(len(many))])
    assert found is not None
    assert printed(capsys.readouterr().out)["fact", "MRR"] == pytest.approx(astuple(found), abs=1e-6)


def test_types_that_came_with_a_file_stay_as_they_came(exported: Path, tmp_path: Path) -> None:
    """They were classed anew, by words where the file had them by exact rules, and the export was another file."""
    store = open_store(f"sqlite:///{tmp_path / 'elsewhere.db'}", migrate=True)
    with store.session() as session:
        brought = import_results(session, exported / "bm25.jsonl", run="brought")
        rules = classify_run(session, brought)
        again = list(export_results(session, brought))
    store.engine.dispose()
    assert again == [json.loads(line) for line in (exported / "bm25.jsonl").read_bytes().splitlines()]
    assert rules == {"exact": 0, "by words": 0, "by the file": 240}
    assert rules_said([rules]) == "240 passages as their file gives them."


def test_a_figure_that_is_not_what_the_file_says_is_found(exported: Path, recomputed: Any) -> None:
    """The comparison above can fail."""
    page = shown(exported)["trackstar"]["tasks"]["fact"]["overall"]
    page["recall_at_3"]["low"] += 0.001
    with pytest.raises(AssertionError):
        same(of_task("fact", recomputed("trackstar")), page)


def test_the_script_needs_numpy_and_nothing_of_startrail(exported: Path, tmp_path: Path) -> None:
    """In twenty-odd lines; run as a reader runs it, without the project on its path."""
    file = str(exported / "trackstar.jsonl")
    command = [sys.executable, "-I", "-X", "importtime", str(SCRIPT), file]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert printed(done.stdout)
    assert not re.search(r"\| +app\b", done.stderr)
