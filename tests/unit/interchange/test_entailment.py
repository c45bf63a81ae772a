"""A passage entails a fact above an AIS score of 0.5, as the paper's viewer counts; at 0.5 it does not."""

from pathlib import Path

import pytest

from app.interchange.results import import_results
from app.store import browse
from app.store.browse import Filters
from app.store.engine import Store
from tests.support.paper_records import paper_record, write


@pytest.mark.parametrize(
    ("scores", "stated", "ais"),
    [
        ([0.5, 0.0, 0.5], "no", "low"),
        ([0.2, 0.5000001, 0.5], "yes", "high"),
        ([0.4999999, 0.5, None], "no", "low"),
        ([None, 1.0, 0.5], "yes", "high"),
        ([0, 0, 0], "no", "low"),
    ],
)
def test_a_score_of_a_half_is_not_counted_as_stated(
    store: Store, tmp_path: Path, scores: list[float | None], stated: str, ais: str
) -> None:
    record = paper_record(proponent_ais_scores=scores, proponent_correct=[False] * 3)
    with store.session() as session:
        run = import_results(session, write(tmp_path / "a.jsonl", [record]), run="a")
        facets = browse.tally(session, run, Filters()).facets({})
    for name, value in (("stated", stated), ("ais", ais)):
        assert [each.value for each in facets[name] if each.count] == [value]
