"""Curves over d and damping, and projections beside each other, read as numbers, too."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.databases import filled, filled_file
from tests.support.evaluated import fill, switch
from tests.support.evaluation_pages import html
from tests.support.sites import site
from tests.support.twins import twin

pytestmark = pytest.mark.slow
PLACES = {
    "-over-d": ["1,024", "4,096", "16,384"],
    "-over-damping": ["0.1", "1", "10"],
    "-by-seed": ["0", "1", "2"],
}


@pytest.fixture(scope="module")
def switched(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[TestClient]:
    """A reader of a site with runs at other values of single switches beside the others."""
    copy = tmp_path_factory.mktemp("switched") / "startrail.db"
    shutil.copy(filled_file("evaluated", migrated_sqlite, fill), copy)
    with site(filled(f"sqlite:///{copy}", switch), tmp_path_factory.mktemp("home")) as opened:
        yield opened


def figures(client: TestClient) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in twin(client, "/evaluation")["figures"]}


def test_each_switch_is_drawn_of_either_kind_of_measure(switched: TestClient) -> None:
    """In the order of the values, the index's own among them; the page's table has the same numbers as its twin."""
    found, page = figures(switched), html(switched, "/evaluation")
    for measure in ("mrr", "tail_patch_10"):
        for kind, places in PLACES.items():
            drawn = found[measure + kind]
            assert [row[1] for row in drawn["rows"]] == places
            shown = page.find(id=measure + kind)
            assert shown.select_one("svg .whisker") is not None, "each with its interval"
            means = [row.select("td")[2].get_text(strip=True) for row in shown.select("details tbody tr")]
            assert [float(mean) for mean in means] == pytest.approx(
                [row[2] for row in drawn["rows"]], abs=5e-4
            )
            assert "run=trackstar-" in drawn["links"][-1][2]
    assert "At d = 16,384 R was fitted on fewer passages than a block" in found["mrr-over-d"]["note"]
    assert "3 of them lie 0.06 apart" in found["mrr-by-seed"]["note"]
    assert [row[1] for row in found["mrr-over-lambda"]["rows"]] == ["0", "0.1", "0.5", "0.9"], (
        "as without them"
    )


def test_points_of_curves_are_no_rows_of_the_table(switched: TestClient) -> None:
    assert not [
        row["method"] for row in twin(switched, "/evaluation")["rows"] if "trackstar-" in row["method"]
    ]
