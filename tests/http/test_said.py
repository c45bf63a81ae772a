"""Where the model was wrong, every page and file speaks of what it said, and of the truth as what it was not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.store.models import get_model
from app.store.tables import Corpus, Output, Passage, Prompt, PromptSet, Result, Retrieved, Run
from tests.support.databases import DATABASES, filled_database
from tests.support.seeded import add_run, fill
from tests.support.sites import site, store_of
from tests.support.twins import as_page

pytestmark = pytest.mark.slow


def beside(session: Session) -> list[str]:
    """Beside two runs of the filled store, runs of what was said to a wrong prompt and to one right by an alias."""
    fill(session)
    corpus = session.scalars(select(Corpus).where(Corpus.name == "demo")).one()
    asked = session.scalars(select(PromptSet).where(PromptSet.name == "demo")).one()
    model = get_model(session, "demo-4m")
    outputs = session.execute(
        select(Prompt, Output)
        .join(Output, Output.prompt_id == Prompt.id)
        .where(Prompt.prompt_set_id == asked.id, Prompt.task == "fact")
    ).all()
    prompts = [prompt for prompt, _ in outputs[:2]]
    said = ((outputs[0][1], "Reykjavik", False), (outputs[1][1], "The Other Name", True))
    prompts[1].aliases = ["The Other Name"]
    for output, answer, right in said:
        output.answer, output.correct = answer, right
        output.said, output.said_tokens, output.said_probability = f" {answer}, said Freya", [1], 0.625
    passage = session.scalars(select(Passage).where(Passage.corpus_id == corpus.id)).first()
    passage.text = "Reykjavik is cold, and so is The Other Name."
    for method, name in (("trackstar", "TrackStar"), ("bm25", "BM25")):
        targets = session.scalars(select(Run).where(Run.slug == method)).one()
        run = add_run(
            session, method, f"{name}, what was said", model, corpus, asked, 2, slug=f"{method}-said"
        )
        run.explains, run.beside_id = "said", targets.id
        for prompt in prompts:
            result = Result(run_id=run.id, prompt_id=prompt.id, position=prompt.position, top_score=1.0)
            session.add(result)
            session.flush()
            row = {"side": "proponent", "rank": 1, "passage_id": passage.id, "score": 1.0}
            session.execute(insert(Retrieved), [{"result_id": result.id, **row}])
    return [prompt.slug for prompt in prompts]


@pytest.fixture(scope="module", params=DATABASES)
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[tuple[TestClient, str, str]]:
    """A reader of the site, and the names of the wrong prompt and of the one right by an alias."""
    home, named = tmp_path_factory.mktemp("said"), list[str]()
    url = filled_database(request, home, migrated_sqlite, lambda session: named.extend(beside(session)))
    wrong, alias = named
    with site(url, home) as opened:
        yield opened, wrong, alias


@contextmanager
def contrasted(client: TestClient) -> Iterator[str]:
    """The truth, which the first mistake's passages are ranked against while the block lasts."""
    with store_of(client).session() as session:
        run = session.scalars(select(Run).where(Run.slug == "trackstar-said")).one()
        result = session.scalars(select(Result).where(Result.run_id == run.id)).first()
        truth = session.get_one(Prompt, result.prompt_id).target
        result.contrast = f" {truth}"
    yield truth
    with store_of(client).session() as session:
        session.get_one(Result, result.id).contrast = None


def test_the_page_of_a_mistake_opens_on_what_was_said_and_knows_the_truth(
    told: tuple[TestClient, str, str],
) -> None:
    """It used to explain the truth, which the model had not said, under the address that everybody follows."""
    client, wrong, _ = told
    place = f"/runs/trackstar/prompts/{wrong}"
    said, meant = client.get(f"{place}.json").json(), client.get(f"{place}.json?explains=target").json()
    assert (said["explains"], said["explained"], said["correct"]) == ("said", "Reykjavik", False)
    assert (said["rather_than"], said["said_probability"]) == (said["target"], 0.625)
    assert (meant["explains"], meant["explained"]) == ("target", said["target"])
    assert [each["text"] for each in said["proponents"]] == ["Reykjavik is cold, and so is The Other Name."]
    assert len(meant["proponents"]) > 1
    (card,) = said["proponents"]
    marked = {card["text"][span["start"] : span["end"]] for span in card["spans"] if span["kind"] == "target"}
    assert marked == {"Reykjavik"}
    for page, kind in ((said, "said"), (meant, "target")):
        chosen = {each["label"]: each["chosen"] for each in page["explanations"]}
        assert chosen == {"What it said": kind == "said", "The truth": kind == "target"}
    shown = BeautifulSoup(client.get(place).text, "html.parser")
    claim = said["claim"]
    assert (claim["said"], claim["truth"], claim["right"]) == ("Reykjavik", said["target"], False)
    assert (claim["probability"], claim["truth_probability"]) == (0.625, said["probability"])
    assert f"{said['target']}" in shown.select_one("main").text
    truth = next(each for each in shown.select("nav a") if each.text == "The truth")
    assert client.get(truth["href"]).status_code == 200
    # What leads on from the page asks for what the page shows.
    assert "completion=+Reykjavik" in said["trace_url"]
    assert "contrast=" in said["trace_url"]
    assert "contrast=" not in meant["trace_url"]


def test_a_mistake_is_headed_by_what_its_passages_were_ranked_by(
    told: tuple[TestClient, str, str],
) -> None:
    """The heading said “rather than”, the passages were those of what was said alone; BM25 knows no other."""
    client, wrong, _ = told
    with contrasted(client) as truth:
        headed(client, wrong, truth)


def headed(client: TestClient, wrong: str, truth: str) -> None:
    place = f"prompts/{wrong}"
    for run_name, heading, sentence in (
        (
            "trackstar",
            True,
            f"TrackStar ranks passages by how they make “Reykjavik” likelier than “{truth}”.",
        ),
        (
            "bm25",
            False,
            "BM25 searches for the words of the prompt and “Reykjavik”: this list does not say why",
        ),
    ):
        page = client.get(f"/runs/{run_name}/{place}.json").json()
        assert (page["contrast"] or "").strip() == (truth if heading else "")
        assert page["claim"]["searched"].startswith(sentence)
        shown = BeautifulSoup(client.get(f"/runs/{run_name}/{place}").text, "html.parser")
        assert (f"rather than {truth}" in " ".join(shown.h1.text.split())) == heading
        assert sentence in shown.select_one(".searched").text
    compared = client.get(f"/compare/{wrong}.json?runs=trackstar,bm25").json()["sides"]
    assert [(each["contrast"] or "").strip() for each in compared] == [truth, ""]
    assert [each["searched"].split(" ")[0] for each in compared] == ["TrackStar", "BM25"]
    shown = client.get(f"/compare/{wrong}?runs=trackstar,bm25").text
    assert shown.count('class="searched') == 2
    (record,) = client.get(f"/runs/trackstar/{place}.jsonl").text.splitlines()
    assert json.loads(record)["contrast"] == f" {truth}"
    meant = client.get(f"/runs/trackstar/{place}.json?explains=target").json()
    assert (meant["contrast"], meant["claim"]["searched"]) == (None, "")


def test_where_two_runs_differ_the_list_names_what_was_said(told: tuple[TestClient, str, str]) -> None:
    """It named targets, and each link led to a comparison about another text."""
    client, wrong, alias = told
    rows = {row["slug"]: row for row in client.get("/compare.json?runs=trackstar,bm25").json()["rows"]}
    assert (rows[wrong]["explains"], rows[wrong]["explained"].strip()) == ("said", "Reykjavik")
    assert rows[alias]["explained"].strip() == "The Other Name"
    assert client.get(rows[wrong]["url"]).json()["explained"] == "Reykjavik"
    others = [row for slug, row in rows.items() if slug not in (wrong, alias)]
    assert {row["explains"] for row in others} == {"target"}
    assert all(row["explained"].strip() == row["target"] for row in others)
    shown = BeautifulSoup(client.get("/compare?runs=trackstar,bm25").text, "html.parser")
    assert "Reykjavik" in [each.text for each in shown.select(".differ .prompt b")]


def test_right_by_another_name_is_explained_as_it_was_said(told: tuple[TestClient, str, str]) -> None:
    client, _, alias = told
    page = client.get(f"/runs/bm25/prompts/{alias}.json").json()
    assert (page["explains"], page["explained"], page["correct"]) == ("said", "The Other Name", True)
    assert page["rather_than"] is None
    assert [each["label"] for each in page["explanations"]] == ["What it said", "The target"]


@pytest.mark.parametrize(("query", "speaks"), [("", "Reykjavik"), ("?explains=target", None)])
def test_whatever_is_taken_from_the_page_speaks_of_the_same(
    told: tuple[TestClient, str, str], query: str, speaks: str | None
) -> None:
    """A citation, a comparison or a file of a mistake named the truth as what had been explained."""
    client, wrong, _ = told
    place = f"/runs/trackstar/prompts/{wrong}"
    page = client.get(f"{place}.json{query}").json()
    speaks = speaks or page["target"]
    assert page["explained"] == speaks
    cited = client.get(page["cite_url"]).json()
    assert speaks in cited["text"]
    assert cited["permalink"].endswith(f"{place}{query}")
    assert client.get(cited["bibtex_url"]).text.count(speaks) >= 1
    compared = client.get(page["compare_url"]).json()
    assert compared["explained"] == speaks
    assert client.get(as_page(page["compare_url"])).text.count(speaks) >= 1
    rows = client.get(page["csv_url"]).text.splitlines()
    assert all(f",{page['explains']},{speaks}" in row for row in rows[1:2])
    (record,) = client.get(f"{place}.jsonl{query}").text.splitlines()
    assert f'"targets_plaintext":"{speaks}"' in record.replace('": "', '":"')
    pictures = [client.get(f"{place}/card.png{each}").content for each in ("", "?explains=target")]
    assert pictures[0] != pictures[1]


def test_a_passage_tells_what_it_was_found_for(told: tuple[TestClient, str, str]) -> None:
    client, wrong, _ = told
    card = client.get(f"/runs/trackstar/prompts/{wrong}.json").json()["proponents"][0]
    listed = client.get(f"/passages/{card['passage_id']}.json").json()["found_for"]
    own = next(
        each for each in listed if each["run"] == "trackstar-said" and each["explained"] == "Reykjavik"
    )
    assert client.get(own["url"].split("#")[0]).status_code == 200
    meant = client.get(f"/runs/trackstar/prompts/{wrong}.json?explains=target").json()["proponents"][0]
    listed = client.get(f"/passages/{meant['passage_id']}.json").json()["found_for"]
    own = next(each for each in listed if each["run"] == "trackstar" and wrong in each["url"])
    assert "explains=target" in own["url"]


def test_what_stands_beside_a_run_is_no_run_of_its_own_in_lists_and_figures(
    told: tuple[TestClient, str, str],
) -> None:
    client, wrong, _ = told
    assert "trackstar-said" not in {run["slug"] for run in client.get("/runs.json").json()["runs"]}
    page = client.get(f"/runs/trackstar/prompts/{wrong}.json").json()
    assert [each["label"] for each in page["methods"]] == ["TrackStar", "BM25", "Dense"]
    own = client.get("/runs/trackstar.json").json()
    assert own["run"]["explains"] == "target"
    assert own["said_url"] == "/runs/trackstar-said.json"
    said = client.get("/runs/trackstar-said.json").json()
    assert (said["run"]["explains"], said["listing"]["total"]) == ("said", 2)
    assert "what the model said" in client.get("/runs/trackstar-said").text
