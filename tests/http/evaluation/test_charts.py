"""The charts of the evaluation: readable as tables, and every number leads to its prompts."""

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.evaluated import QUALITY
from tests.support.evaluation_pages import html
from tests.support.twins import twin

pytestmark = pytest.mark.slow


def figure(client: TestClient, id_: str, query: str = "") -> dict[str, Any]:
    found = {each["id"]: each for each in twin(client, f"/evaluation{query}")["figures"]}
    assert id_ in found, sorted(found)
    return found[id_]


def test_charts_can_be_read_as_tables_and_as_csv(evaluation: TestClient) -> None:
    """The numbers of a chart are in the page, in its JSON twin and in a CSV, and they are the same."""
    page = html(evaluation, "/evaluation")
    figures = twin(evaluation, "/evaluation")["figures"]
    assert len(page.select("figure.plot")) == len(figures) > 6
    for each in figures:
        drawn = page.find(id=each["id"])
        assert drawn.select_one("svg title").get_text() == each["title"]
        assert len(drawn.select("details tbody tr")) == len(each["rows"])
        rows = list(csv.reader(io.StringIO(evaluation.get(each["csv_url"]).text)))
        assert len(rows) == len(each["rows"]) + 1
        assert [float(cell) for cell in rows[1] if _number(cell)] == pytest.approx(
            [float(value) for value in each["rows"][0] if _number(str(value))]
        )


def test_every_number_of_every_chart_leads_to_its_prompts(evaluation: TestClient) -> None:
    """Means of the list that opens are the number that was followed; of counts, the list is as long."""
    followed = 0
    for each in twin(evaluation, "/evaluation?by=right")["figures"]:
        for row, links in zip(each["rows"][-3:], each["links"][-3:], strict=True):
            for value, url in zip(row, links, strict=True):
                if "/evaluation/prompts" in url:
                    behind = twin(evaluation, url)
                    found = behind["total"]["mean"] if behind["total"] else behind["prompts"]
                    assert found == pytest.approx(value), (each["id"], row, url)
                    followed += 1
    assert followed > 30


@pytest.mark.parametrize(
    ("id_", "depths"),
    [("recall_at-by-depth", 4), ("precision_at-by-depth", 4), ("tail_patch-by-depth", 4)],
)
def test_how_figures_change_with_depth_is_a_chart(evaluation: TestClient, id_: str, depths: int) -> None:
    drawn = figure(evaluation, id_, "?run=bm25&run=trackstar")
    assert [row[:2] for row in drawn["rows"][:depths]] == [["BM25", k] for k in ("1", "3", "5", "10")]
    assert len(drawn["rows"]) == 2 * depths


def test_no_tail_patch_stands_without_the_step_it_is_of(evaluation: TestClient) -> None:
    """Beside the table, below each chart, over the prompts behind a number, on the run's page and in the CSV."""
    step = "1 step of Adafactor at learning rate 0.003"
    page = twin(evaluation, "/evaluation")
    notes = {each["id"]: each["note"] for each in page["figures"]}
    patched = [id_ for id_ in notes if "tail_patch" in id_ or id_ == "attribution-influence"]
    assert len(patched) == 5
    assert all(step in notes[id_] for id_ in patched)
    assert not any(step in note for id_, note in notes.items() if id_ not in patched)
    assert step in page["patched"]
    assert "was not measured" not in html(evaluation, "/evaluation").get_text(" ")
    for url in ("/evaluation/prompts?run=bm25&measure=tail_patch_3", "/runs/trackstar"):
        assert step in html(evaluation, url).get_text(" "), url
    assert step not in html(evaluation, "/evaluation/prompts?run=bm25&measure=mrr").get_text(" ")
    row = next(csv.DictReader(io.StringIO(evaluation.get(page["csv_url"]).text)))
    assert (row["tail_patch_optimizer"], row["tail_patch_learning_rate"]) == ("adafactor", "0.003")


def test_what_the_tasks_hessian_trades_is_a_curve_over_lambda(evaluation: TestClient) -> None:
    """More of it finds more passages that state the fact, and these move the model less: so the store was filled."""
    places = ["0", "0.1", "0.5", "0.9"]
    over = [
        each["id"]
        for each in twin(evaluation, "/evaluation")["figures"]
        if "-over-" in each["id"] or "-by-seed" in each["id"]
    ]
    assert {id_.partition("-over-")[2] for id_ in over} == {"lambda", "training-steps"}, (
        "of d, damping and seeds there are no runs"
    )
    mrr, patch = (figure(evaluation, f"{name}-over-lambda") for name in ("mrr", "tail_patch_10"))
    assert [row[1] for row in mrr["rows"]] == [row[1] for row in patch["rows"]] == places
    assert mrr["rows"][-1][2] > mrr["rows"][0][2]
    assert patch["rows"][-1][2] < patch["rows"][0][2]
    assert {row["method"] for row in twin(evaluation, "/evaluation")["rows"]} == set(QUALITY), (
        "points of the curve are no rows of the table"
    )
    behind = twin(evaluation, mrr["links"][1][2])
    assert behind["total"]["mean"] == pytest.approx(mrr["rows"][1][2])


def test_checkpoints_of_one_training_make_a_curve_that_ends_with_the_model(evaluation: TestClient) -> None:
    curve = figure(evaluation, "mrr-over-training-steps")
    by_method: dict[str, list[str]] = {}
    for method, step, *_ in curve["rows"]:
        by_method.setdefault(method, []).append(step)
    assert by_method == {"BM25": ["100", "200", "final"], "TrackStar": ["100", "200", "final"]}


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
