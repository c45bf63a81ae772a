"""What is behind a name: a page for every model and corpus, with whatever was said of it and nothing made up."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.cli.main import app
from app.store.corpora import PassageRecord, add_corpus, get_corpus
from app.store.engine import open_store
from app.store.models import get_model, register_model
from app.store.origins import Origin, describe
from tests.support.sites import site, store_of
from tests.support.twins import as_page

HUB_FILES = f"hf://datasets/team/web@{'c' * 40}/en"


@pytest.fixture
def named(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    """A site with models and corpora under names that people use."""
    with open_store(database_url) as store, store.session() as session:
        for name in ("EleutherAI/pythia-70m", "modèle 7.5", "a#b?c%d"):
            register_model(session, name, parameters=70_000_000, origin=Origin(licence="Apache-2.0"))
        records = (PassageRecord(str(n), f"Passage {n}. " + "x" * n) for n in range(1000))
        add_corpus(session, "team/web", records, origin=Origin(source="https://example.org/web"))
        add_corpus(session, "one", [PassageRecord("1", "The only one.")])
        get_corpus(session, "team/web").reading = {
            "files": [HUB_FILES],
            "how": {"limit": 1000, "dedup": "near"},
        }
    with site(database_url, tmp_path) as client:
        yield client


def test_names_with_signs_of_addresses_have_pages(named: TestClient) -> None:
    """Models are called OWNER/NAME, and people use blanks, accents, # and ?."""
    for kind in ("models", "corpora"):
        items = named.get(f"/{kind}.json").json()["items"]
        assert items
        for each in items:
            page = named.get(as_page(each["url"]))
            assert page.status_code == 200, each
            assert BeautifulSoup(page.text, "html.parser").h1.text == each["name"]
            assert named.get(each["url"]).json()["name"] == each["name"]


def test_what_was_not_said_is_said_to_be_so(named: TestClient) -> None:
    page = BeautifulSoup(named.get("/corpora/one").text, "html.parser")
    facts = {each.dt.text: each.dd.text for each in page.select("dl.facts > div")}
    assert (facts["Licence"], facts["Source"], facts["Made by"]) == ("not said",) * 3
    page = BeautifulSoup(named.get("/corpora/team/web").text, "html.parser")
    assert page.select_one('dd a[href="https://example.org/web"]')


def test_what_a_corpus_was_read_from_is_shown_with_its_commit_and_options(named: TestClient) -> None:
    page = BeautifulSoup(named.get("/corpora/team/web").text, "html.parser")
    facts = {each.dt.text: " ".join(each.dd.text.split()) for each in page.select("dl.facts > div")}
    assert facts["Read from"] == f"{HUB_FILES}, limit 1,000, dedup near"
    told = named.get("/corpora/team/web.json").json()
    assert (told["files"], told["how"]) == ([HUB_FILES], {"limit": 1000, "dedup": "near"})
    assert "Read from" not in named.get("/corpora/one").text


def test_the_sample_is_spread_over_the_corpus_and_bounded(named: TestClient) -> None:
    """A corpus may be large and its texts long: ten beginnings are shown, of all parts of it."""
    sample = named.get("/corpora/team/web.json").json()["sample"]
    assert [each["text"].split(".")[0] for each in sample] == [f"Passage {n}" for n in range(0, 1000, 100)]
    assert max(len(each["text"]) for each in sample) == 300
    assert [each["cut"] for each in sample].count(True) == 7
    assert len(named.get("/corpora/one.json").json()["sample"]) == 1


def test_an_unknown_name_is_not_found_with_names_near_it(named: TestClient) -> None:
    answer = named.get("/models/pythia-70")
    assert answer.status_code == 404
    assert named.get("/corpora/nowhere.json").json()["status"] == 404


def test_a_link_that_runs_something_is_not_made_of_a_source(named: TestClient) -> None:
    with store_of(named).session() as session:
        describe(session, get_corpus(session, "one"), Origin(source="javascript:alert(1)"))
    page = BeautifulSoup(named.get("/corpora/one").text, "html.parser")
    assert not [a for a in page.select("main a") if a["href"].startswith("javascript")]


def test_names_lead_to_what_is_behind_them(client: TestClient) -> None:
    """No page says “demo” and leaves it there."""
    for path in (
        "/runs",
        "/runs/trackstar",
        "/runs/trackstar/prompts/capital-china",
        "/compare/capital-china?runs=trackstar,bm25",
        "/passages/1",
        "/",
        "/runs/trackstar/prompts/capital-china/cite",
    ):
        links = {
            a["href"] for a in BeautifulSoup(client.get(path).text, "html.parser").select("main a[href]")
        }
        assert links & {"/models/demo-4m", "/corpora/demo"}, path


def test_citations_carry_who_made_it_and_under_which_licence(filled_url: str, tmp_path: Path) -> None:
    with site(filled_url, tmp_path) as client:
        said = client.get("/runs/trackstar/prompts/capital-china/cite.json").json()
        assert "model demo-4m," in said["text"]
        with store_of(client).session() as session:
            describe(
                session, get_model(session, "demo-4m"), Origin("x", "https://h.example/m", "MIT", "A & B")
            )
        said = client.get("/runs/trackstar/prompts/capital-china/cite.json").json()
        assert "model demo-4m (A & B; MIT; https://h.example/m)" in said["text"]
        assert r"model demo-4m (A \& B; MIT; https://h.example/m)" in said["bibtex"]
        with store_of(client).session() as session:
            model = get_model(session, "demo-4m")
            model.description = model.source = model.licence = model.author = ""


def test_the_commands_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said when a corpus is added, and changed afterwards; what is left out stays."""
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    file = tmp_path / "web.jsonl"
    file.write_text(json.dumps({"id": "1", "text": "A passage."}))
    run = CliRunner().invoke
    assert run(app, ["corpus", "add", str(file), "--licence", "ODC-By", "--author", "Ann"]).exit_code == 0
    assert run(app, ["corpus", "describe", "web", "--author", "Bob"]).exit_code == 0
    refused = run(app, ["corpus", "describe", "web"])
    assert (refused.exit_code, "--source" in refused.output) == (2, True)
    assert run(app, ["model", "describe", "none", "--author", "Bob"]).exit_code == 2
    store = open_store(f"sqlite:///{tmp_path / 'home' / 'startrail.db'}")
    with store.session() as session:
        corpus = get_corpus(session, "web")
        assert (corpus.licence, corpus.author, corpus.source) == ("ODC-By", "Bob", "")
    store.engine.dispose()
