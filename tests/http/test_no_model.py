"""A home with a corpus and prompts and no model is a full site: every page opens, and none offers what needs one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.errors import UserError
from app.interchange.results import import_results
from app.runs.retrieving import retrieve_set
from app.settings import Settings
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Output
from tests.support.sites import site, store_of

TEXTS = ("Bamako is the capital of Mali, on the Niger.", "Accra lies by the sea.", "Cedi is money in Ghana.")
ASKED = (("mali", "The capital of Mali is", "Bamako"), ("ghana", "The currency of Ghana is the", "cedi"))


def fill(store: Store, settings: Settings) -> None:
    with store.session() as session:
        records = [PassageRecord(str(n), text) for n, text in enumerate(TEXTS)]
        corpus = add_corpus(session, "mine", records)
        add_prompts(
            session, "mine", [PromptRecord(id_, text, target) for id_, text, target in ASKED], corpus=corpus
        )
    for method in ("bm25", "random", "verbatim"):
        retrieve_set(settings, store, "", "mine", method, corpus="mine")


@pytest.fixture
def bare(store: Store, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    fill(store, Settings(home=tmp_path, database_url=database_url, _env_file=None))
    with site(database_url, tmp_path) as client:
        yield client


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_page_opens_and_nothing_is_offered_that_needs_a_model(bare: TestClient) -> None:
    seen, todo = set[str](), ["/"]
    while todo:
        address = todo.pop(0)
        if address in seen:
            continue
        seen.add(address)
        answer = bare.get(address)
        assert answer.status_code == 200, address
        if "html" not in answer.headers["content-type"]:
            continue
        soup = BeautifulSoup(answer.text, "html.parser")
        if not address.startswith("/trace"):
            assert not soup.select("a[href^='/trace']"), address
            assert not {"Trace it", "Edit and ask again"} & {
                each.text for each in soup.select("a, button")
            }, address
        links = (each["href"].split("#")[0] for each in soup.select("a[href^='/']"))
        todo += [link for link in links if not set("?.") & set(link) and not link.startswith("/api")]
    assert {"/runs/mine-bm25", "/runs/mine-bm25/prompts/mali", "/corpora/mine", "/evaluation"} <= seen
    page = " ".join(BeautifulSoup(bare.get("/runs/mine-bm25/prompts/mali").text, "html.parser").text.split())
    assert "No model was asked. The corpus has 3 passages." in page
    assert "training step" not in page
    ranked = bare.get("/runs/mine-bm25/prompts/ghana.json").json()["proponents"]
    assert ranked[0]["external_id"] == "2"
    assert bare.get("/models.json").json()["items"] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_needs_a_model_is_refused_before_anything_is_read(store: Store, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, _env_file=None)
    for index, method, corpus, explains, rule, said in (
        ("", "trackstar", "mine", "both", "", "needs an index"),
        ("", "bm25", "", "both", "", "Neither an index nor a corpus"),
        ("one", "bm25", "mine", "both", "", "Both an index and a corpus"),
        ("", "bm25", "mine", "said", "", "is not asked for"),
        ("", "bm25", "mine", "both", "token", "is not asked for"),
    ):
        with pytest.raises(UserError, match=said):
            retrieve_set(
                settings, store, index, "mine", method, corpus=corpus, explains=explains, choose_by=rule
            )
    with store.session() as session:
        assert session.query(Output).count() == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_results_of_another_tool_offer_no_question_and_say_once_what_was_not_measured(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """A table of queries has no answers and its model is nowhere: the page said towards “”, offered to ask again, and had
    the missing training step twice."""
    path = tmp_path / "query.csv"
    path.write_text('query,direction,result,result_index,score\nMali is,highest,"Bamako, in Mali.",17,0.31\n')
    with store.session() as session:
        import_results(session, path, run="queried")
    with site(database_url, tmp_path) as client:
        [item] = client.get("/prompts.json?run=queried").json()["listing"]["items"]
        page = BeautifulSoup(client.get(item["url"].removesuffix(".json")).text, "html.parser")
        assert page.select_one("h2#towards").text.split() == ["Towards", "the", "answer"]
        assert page.select_one("main").text.count("No training step has been measured") == 1
        assert not page.select("a[href*='/trace']")
        asked = BeautifulSoup(client.get("/trace").text, "html.parser")
        assert "No index is here yet" in asked.text
        assert asked.find("button", string="Trace it").has_attr("disabled")
        store_of(client).engine.dispose()
