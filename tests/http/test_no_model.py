"""A home with a corpus and prompts and no model is a full site: every page opens, and none offers what needs one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.errors import UserError
from app.runs.retrieving import retrieve_set
from app.settings import Settings
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Output
from tests.support.sites import site

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
