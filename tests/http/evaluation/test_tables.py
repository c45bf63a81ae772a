"""The evaluation as a reader sees it: one table, and the prompts behind each number."""

import csv
import io
import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, update

from app.evaluation.report import evaluate_runs
from app.interchange.results import import_results
from app.store.runs import list_runs
from app.store.tables import Evaluation, Retrieved
from tests.support.evaluated import QUALITY, fill
from tests.support.evaluation_pages import html
from tests.support.sites import site, store_of
from tests.support.twins import twin

pytestmark = pytest.mark.slow


def test_every_method_and_control_is_a_row_with_its_intervals(evaluation: TestClient) -> None:
    """Controls stand in the same table: without them nobody knows what a figure is worth."""
    page = twin(evaluation, "/evaluation")
    assert [row["method"] for row in page["rows"]] == list(QUALITY)
    for row in page["rows"]:
        for measure in ("mrr", "recall_at_10", "precision_at_10", "average_precision", "tail_patch_10"):
            cell = row["cells"][measure]
            assert cell["low"] <= cell["mean"] <= cell["high"]
            assert cell["count"] == 24
    shown = html(evaluation, "/evaluation").select_one("table.metrics")
    assert [th.get_text(strip=True) for th in shown.select("tbody th")] == [r["name"] for r in page["rows"]]
    text = html(evaluation, "/evaluation").get_text(" ")
    assert "Adafactor at learning rate 0.003" in text, "no tail-patch without its settings"


def test_every_number_leads_to_the_prompts_it_is_the_mean_of(evaluation: TestClient) -> None:
    page = twin(evaluation, "/evaluation")
    for row in (page["rows"][0], page["rows"][-2], page["differences"][-2]):
        for measure, cell in row["cells"].items():
            behind = twin(evaluation, cell["url"])
            assert behind["total"]["mean"] == pytest.approx(cell["mean"]), measure
            values = [item["value"] for item in behind["items"]]
            assert len(values) == cell["count"] == behind["prompts"]
            assert sum(values) / len(values) == pytest.approx(cell["mean"]), measure


def test_a_table_is_of_one_model_unless_all_are_asked_for(evaluation: TestClient) -> None:
    """Rows of checkpoints beside those of the model would compare models where methods are meant."""
    page = twin(evaluation, "/evaluation")
    assert {row["model"] for row in page["rows"]} == {"atlas-1m"}
    choices = {each["label"]: each for each in page["models"]}
    assert [name for name, each in choices.items() if each["chosen"]] == ["atlas-1m"]
    early = twin(evaluation, choices["atlas-1m-step-100"]["url"])
    assert {row["model"] for row in early["rows"]} == {"atlas-1m-step-100"}
    assert {row["method"] for row in early["rows"]} == {"bm25", "trackstar"}
    assert len(twin(evaluation, choices["every model"]["url"])["rows"]) == len(QUALITY) + 4
    assert twin(evaluation, "/evaluation?model=nobody")["rows"] == page["rows"]


def test_slices_and_the_run_to_compare_with_are_in_the_address(evaluation: TestClient) -> None:
    page = twin(evaluation, "/evaluation?by=relation&against=trackstar&run=bm25&run=random")
    assert page["against"] == "trackstar"
    assert all(row["cells"]["mrr"]["mean"] < 0 for row in page["differences"] if row["method"] == "random")
    sliced = next(each for each in page["figures"] if each["id"] == "mrr-by-relation")
    assert {row[0] for row in sliced["rows"]} == {"BM25", "random"}
    assert {row[1] for row in sliced["rows"]} == {"capital", "seat"}
    assert [row["run"] for row in page["rows"] if row["drawn"]] == ["bm25", "random"]


def test_a_run_tells_how_well_it_does_on_its_own_page(evaluation: TestClient) -> None:
    row = next(r for r in twin(evaluation, "/evaluation")["rows"] if r["run"] == "trackstar")
    metrics = twin(evaluation, "/runs/trackstar")["metrics"]
    facts = next(each for each in metrics["tasks"] if each["task"] == "fact")
    assert facts["cells"]["mrr"] == row["cells"]["mrr"]
    for run in ("trackstar", "trackstar-step-100", "trackstar-0.5"):
        for each in twin(evaluation, f"/runs/{run}")["metrics"]["figures"]:
            numbers = list(csv.reader(io.StringIO(evaluation.get(each["csv_url"]).text)))
            assert len(numbers) == len(each["rows"]) + 1, (run, each["id"])
    drawn = {each["id"].split("-")[0]: each for each in metrics["figures"]}
    assert {"mrr", "tail_patch_10", "recall_at", "tail_patch", "types"} <= set(drawn)
    higher = twin(evaluation, metrics["against_url"].partition("#")[0])
    assert higher["against"] == "trackstar"
    section = html(evaluation, "/runs/trackstar").select_one("section.run-metrics")
    assert section.select_one("figure.plot svg title")
    assert f"{row['cells']['mrr']['mean']:.3f}" in section.get_text()


def test_an_empty_store_says_how_to_fill_the_page(database_url: str, tmp_path: Path) -> None:
    with site(database_url, tmp_path) as client:
        assert "startrail evaluate --tail-patch 10" in html(client, "/evaluation").get_text(" ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_influence_that_was_not_measured_is_said_with_the_command_that_does(
    database_url: str, tmp_path: Path
) -> None:
    """A table of attribution alone answers half of the page's question."""
    with site(database_url, tmp_path) as client:
        with store_of(client).session() as session:
            fill(session, evaluate=False)
            session.execute(update(Retrieved).values(tail_patch=None))
            evaluate_runs(session, list_runs(session))
        for task, command in (
            ("fact", "--tail-patch 10"),
            ("arithmetic", "--tail-patch 10 --task arithmetic"),
        ):
            text = html(client, f"/evaluation?task={task}").get_text(" ")
            assert f"was not measured: startrail evaluate {command} does" in " ".join(text.split())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_runs_without_facts_are_shown_by_the_task_they_have(database_url: str, tmp_path: Path) -> None:
    """The page said that no run has figures for this task, and with one task only it offered no other."""
    with site(database_url, tmp_path) as client:
        with store_of(client).session() as session:
            fill(session)
            session.execute(delete(Evaluation).where(Evaluation.task == "fact"))
        page = twin(client, "/evaluation")
        assert page["asked"]["task"] == "arithmetic"
        assert len(page["rows"]) == len(QUALITY)
        assert twin(client, page["rows"][0]["cells"]["mrr"]["url"])["prompts"] == 6


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("run=bm25&measure=beauty", "There is no measure “beauty”"),
        ("run=bm25&measure=beauty&kind=states", "no measure “beauty”"),
        ("run=bm25&kind=states&against=trackstar", "Types are not compared"),
        ("run=bm25&measure=mrr&page=0", "greater than or equal to 1"),
    ],
)
def test_a_number_that_is_not_known_is_refused_with_a_remedy(
    evaluation: TestClient, query: str, says: str
) -> None:
    answer = evaluation.get(f"/evaluation/prompts?{query}")
    assert 400 <= answer.status_code < 500
    assert says in answer.text
    assert evaluation.get("/evaluation.csv?table=nothing").status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_buckets_of_a_file_are_not_told_as_our_counts(database_url: str, tmp_path: Path) -> None:
    """The paper draws them elsewhere: a fact stated 212,481 times is in its bucket 5, which is no “16 to 31 times”."""
    file = tmp_path / "paper.jsonl"
    with file.open("w") as lines:
        for number, bucket in enumerate((5, 3)):
            record = {"example_id": f"f{number}", "inputs_plaintext": f"Painter {number} of", "targets_plaintext": "Paris",
                      "task": "fact", "c4_frequency": 212481, "c4_frequency_bucket": bucket,
                      "proponents": ["Born in Paris."], "proponent_ids": ["c4:1"], "proponent_correct": [True],
                      "proponent_tail_patches": [1.5]}  # fmt: skip
            lines.write(json.dumps(record) + "\n")
    with site(database_url, tmp_path) as client:
        with store_of(client).session() as session:
            evaluate_runs(session, [import_results(session, file, run="paper")])
        pages = [html(client, url).get_text(" ") for url in
                 ("/prompts?run=paper", "/prompts?run=paper&frequency=5", "/evaluation",
                  "/evaluation/prompts?run=paper&measure=mrr&bucket=5")]  # fmt: skip
    assert "tail-patch@1" in pages[2]
    assert "was not measured" not in pages[2], "the file says it, though not by which step"
    assert "bucket 3" in pages[0]
    assert "1 prompt of frequency bucket 5" in " ".join(pages[1].split())
    assert "stated bucket 5" in " ".join(pages[3].split())
    assert all("bucket 5" in page and "16 to 31" not in page and "16–31" not in page for page in pages)


def test_one_figure_is_over_one_population_on_every_page(evaluation: TestClient) -> None:
    """/runs mixed all tasks and said 0.901 where /evaluation said 0.873 of facts; neither said of how many."""
    rows = {row["run"]: row["cells"] for row in twin(evaluation, "/evaluation")["rows"]}
    listed = {run["slug"]: run for run in twin(evaluation, "/runs")["runs"]}
    assert set(rows) <= set(listed)
    for slug, cells in rows.items():
        summary = listed[slug]["summary"]
        assert listed[slug]["task"] == "fact"
        if summary["mrr"] is None:  # of random passages none states anything: nobody may have looked
            assert cells["mrr"]["mean"] == 0
            continue
        assert summary["mrr"] == pytest.approx(cells["mrr"]["mean"])
        assert summary["known"] == cells["mrr"]["count"]
        narrowed = twin(evaluation, f"/runs/{slug}?task=fact")["listing"]["summary"]
        assert (narrowed["mrr"], narrowed["known"]) == (summary["mrr"], summary["known"])
    text = html(evaluation, "/runs").get_text(" ", strip=True)
    assert f"{listed['trackstar']['summary']['known']} facts" in text


def test_the_page_says_which_prompts_and_answers_its_figures_are_over(evaluation: TestClient) -> None:
    """0.901 here and 0.873 there were of mixed tasks and of facts, and nothing said so."""
    page = twin(evaluation, "/evaluation")
    counts = {
        cell["count"] for row in page["rows"] for name, cell in row["cells"].items() if name == "mrr" and cell
    }
    (count,) = counts
    assert page["over"].startswith(f"Over {count:,} facts of ")
    assert "behind their targets, whether the model said them or not" in page["over"]
    assert page["over"] in " ".join(html(evaluation, "/evaluation").text.split())
    assert "behind the targets" in " ".join(html(evaluation, "/runs").text.split())
