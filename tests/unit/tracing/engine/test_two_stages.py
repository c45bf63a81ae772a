"""Where factors stand beside an index, its rows find candidates and EK-FAC decides; the page says which did what."""

import numpy as np
import pytest
from bs4 import BeautifulSoup

from app.curvature.deciding import CANDIDATES, deciding_beside
from app.curvature.recall import CandidateRecall, keep_recall
from app.models.load import LoadedModel
from app.models.text import Query
from app.retrieval.search import open_search
from app.runs.building import Build, fit_beside
from app.runs.building_corpus import stored_corpus
from app.settings import Settings
from app.store.engine import Store
from app.tracing.catalog import choose
from app.tracing.questions import Question
from app.tracing.worker import Worker
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.index import open_index
from tests.support.asking import passages
from tests.support.questions import _texts, put, result
from tests.support.sites import site

ASKED = Question(prompt="The currency of Ghana is the", completion=" cedi", k=4, opponents=True)


@pytest.fixture(scope="module")
def factors(settings: Settings, store: Store) -> str:
    """Fits them beside the index; the hash that the index had before."""
    before = choose(settings).index_sha256
    fit_beside(
        settings,
        stored_corpus(store, "demo"),
        settings.indexes / "demo",
        Build(EncodingConfig(), rerank="ekfac"),
    )
    return before


def test_candidates_are_found_by_rows_and_ordered_by_exact_influence(
    factors: str, worker: Worker, store: Store, settings: Settings, model: LoadedModel, encoder: Encoder
) -> None:
    assert choose(settings).index_sha256 != factors, (
        "an answer of before is not the answer to the question now"
    )
    id_ = put(store, settings, ASKED)
    worker.step()
    found = result(store, id_)
    assert (found.method, list(found.rankings)[:2]) == ("trackstar+ekfac", ["trackstar+ekfac", "trackstar"])
    assert found.stages is not None
    assert (found.stages.candidates, found.stages.recall) == (CANDIDATES, None)
    second, query = deciding_beside(settings.indexes / "demo", model), Query(ASKED.prompt, " cedi")
    assert second is not None
    direction = second.direction(model.texts.query(query))
    search = open_search(open_index(settings.indexes / "demo"))
    for hits, opponents in ((found.own.proponents, False), (found.own.opponents, True)):
        _, near = search.search(encoder.encode_queries([query]), CANDIDATES, opponents=opponents)
        own = model.texts.passages([passages()[row][1] for row in near[0]])
        scores, rows = second.order(direction, own, near[0], 4, opponents=opponents)
        assert [hit.score for hit in hits] == pytest.approx(scores.tolist(), rel=1e-3)
        assert _texts(store, [hit.passage_id for hit in hits]) == [passages()[row][1] for row in rows]
    first = {hit.passage_id: hit.score for hit in found.rankings["trackstar"].proponents}
    assert len(first) == 4
    for hit in found.own.proponents:
        assert hit.found == pytest.approx(first.get(hit.passage_id, hit.found))


def test_each_side_of_a_contrast_is_ordered_for_itself(
    factors: str, worker: Worker, store: Store, settings: Settings, model: LoadedModel
) -> None:
    id_ = put(store, settings, rather_than(" Accra"))
    worker.step()
    found = result(store, id_)
    second = deciding_beside(settings.indexes / "demo", model)
    assert second is not None
    cedi, accra = (model.texts.query(Query(ASKED.prompt, text)) for text in (" cedi", " Accra"))
    for ranking, direction in zip(
        [found.own, *found.sides],
        [second.direction(cedi, accra), second.direction(cedi), second.direction(accra)],
        strict=True,
    ):
        texts = _texts(store, [hit.passage_id for hit in ranking.proponents])
        own = model.texts.passages(texts)
        scores = second.order(direction, own, np.arange(len(own)), 4)[0]
        assert [hit.score for hit in ranking.proponents] == pytest.approx(scores.tolist(), rel=1e-3)


def rather_than(text: str) -> Question:
    return ASKED.model_copy(update={"contrast": text, "opponents": False})


def test_the_page_says_which_stage_found_which_decided_and_what_the_first_may_miss(
    factors: str, worker: Worker, store: Store, settings: Settings
) -> None:
    keep_recall(settings.indexes / "demo", CandidateRecall(0.91, 0.84, 0.97, 20, "demo", 10, CANDIDATES, 300))
    id_ = put(store, settings, ASKED)
    worker.step()
    assert result(store, id_).stages is not None
    with site(settings.url, settings.home) as reader:
        page = BeautifulSoup(reader.get(f"/traces/{id_}").text, "html.parser")
        said = reader.get(f"/traces/{id_}.json").json()
        cited = reader.get(f"/traces/{id_}/cite.json").json()
    text = " ".join(page.select_one("#stages").get_text().split())
    keep_recall(settings.indexes / "demo", CandidateRecall(0.91, 0.84, 0.97, 20, "demo", 10, CANDIDATES, 200))
    old = put(store, settings, ASKED.model_copy(update={"k": 3}))
    worker.step()
    stages = result(store, old).stages
    assert stages is not None
    assert stages.recall is None, "measured before the corpus grew"
    for part in (
        "TrackStar found the 100 nearest of 300 passages",
        "decided their order",
        "nothing is claimed",
        "candidates hold 91% (84% to 97%, by 20 questions of demo)",
    ):
        assert part in text
    assert said["view"] == said["answer"]["method"] == "trackstar+ekfac"
    assert said["found_by"] == "TrackStar + EK-FAC"
    assert "TrackStar + EK-FAC" in str(cited)
