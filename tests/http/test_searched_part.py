"""An answer that looked at a part of the passages says so on its page, in JSON, on the terminal, and wherever a run shows."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.cli.trace_table import show
from app.runs.index_care import questions_of, search_by
from app.store.corpora import PassageRecord, add_corpus, stream_passages
from app.store.engine import Store, open_store
from app.store.models import register_model
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.tables import Result, Retrieved
from app.store.work_tables import Trace
from app.words.partial import SearchedPart, configured
from tests.support.asking import made_home, put_corpus, settings_of, worker_of
from tests.support.seeded import add_run
from tests.support.sites import site

PART = SearchedPart(lists=120, of=1_000, share=0.123, recall=0.912, asked=500)


def notices(client: TestClient, path: str) -> str:
    page = BeautifulSoup(client.get(path).text, "html.parser")
    return " ".join(each.get_text(" ", strip=True) for each in page.select(".notice, .searched"))


def test_a_trace_over_lists_says_what_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page, its twin and the terminal say it of every answer; what is stated is what the manifest keeps."""
    monkeypatch.setattr("app.retrieval.lists.LEAST", 100)
    monkeypatch.setattr("app.retrieval.lists.LEAST_ASKED", 4)
    monkeypatch.setattr("app.retrieval.codes.MOST", 1.0)
    home = tmp_path / "home"
    shutil.copytree(made_home(), home, ignore=shutil.ignore_patterns("startrail.db*"))
    settings = settings_of(home)
    store = open_store(settings.url, migrate=True)
    put_corpus(store)
    with store.session() as session:
        asked = [PromptRecord(f"q{n}", f"Ask {n}: the capital of Mali is", "Bamako") for n in range(8)]
        add_prompts(session, "asked", asked)
    manifest = search_by(settings.indexes / "demo", "lists", questions_of(settings, store, "asked"))
    kept: dict[str, Any] = manifest.search["part"]
    part = SearchedPart(**kept)
    with worker_of(settings, store) as worker, site(settings.url, home) as client:
        put = client.post(
            "/api/traces", json={"prompt": "The capital of Mali is", "completion": " Bamako"}
        ).json()
        assert worker.step() == 1
        address = f"/traces/{put['id']}"
        said = client.get(f"{address}.json").json()["answer"]["provenance"]
        assert said["search"] == "lists"
        assert said["part"] == kept
        assert part.said in notices(client, address)
    with store.session() as session:
        trace = session.get(Trace, put["id"])
        assert trace is not None
        show(session, trace, None, reused=False)
    assert f"found {part.recall:.1%} of their ten best" in " ".join(capsys.readouterr().out.split())
    store.engine.dispose()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[TestClient]:
    """Two runs over the same prompt, one of which looked at a part."""
    url = f"sqlite:///{tmp_path / 'startrail.db'}"
    store = open_store(url, migrate=True)
    fill(store)
    store.engine.dispose()
    with site(url, tmp_path) as opened:
        yield opened


def fill(store: Store) -> None:
    with store.session() as session:
        corpus = add_corpus(session, "c", [PassageRecord("one", "In Ghana people pay in cedi.")])
        passage = next(id_ for id_, _, _ in stream_passages(session, corpus.id))
        prompts = add_prompts(session, "p", [PromptRecord("q", "The currency of Ghana is the", "cedi")])
        model = register_model(session, "m")
        for name, part in (("part", PART), ("whole", None)):
            run = add_run(session, name, "trackstar", model, corpus, prompts, 1, slug=name)
            run.configuration = {"search": "lists" if part else "exact", **configured(part)}
            result = Result(run_id=run.id, prompt_id=list_prompts(session, prompts.id)[0].id, position=0)
            session.add(result)
            session.flush()
            session.add(
                Retrieved(result_id=result.id, side="proponent", rank=1, passage_id=passage, score=1.0)
            )


@pytest.mark.parametrize("path", ["/runs/{}", "/runs/{}/prompts/q"])
def test_pages_of_a_run_say_it_of_the_run_that_did(reader: TestClient, path: str) -> None:
    assert PART.said in notices(reader, path.format("part"))
    assert "in a part of the passages only" not in notices(reader, path.format("whole"))


def test_runs_side_by_side_say_it_under_the_one_that_did(reader: TestClient) -> None:
    sides = reader.get("/compare/q.json?runs=part,whole").json()["sides"]
    assert [PART.said in side["searched"] for side in sides] == [True, False]
    assert notices(reader, "/compare/q?runs=part,whole").count(PART.said) == 1
