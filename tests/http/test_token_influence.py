"""Token influence on an example's page: asked once, computed by the worker, shaded by the words themselves."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from app.main import create_app
from app.models.load import load_model
from app.models.text import Query
from app.store import steps
from app.store.corpora import get_corpus
from app.store.engine import Store, open_store
from app.store.models import register_model
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.tables import Passage, Result, Retrieved
from app.store.work_tables import Job
from app.tracing.stepping import affordable
from app.trackstar.index import open_index
from app.trackstar.tokens import token_influences
from tests.support.asking import made_home, settings_of, worker_of
from tests.support.seeded import add_run

pytestmark = pytest.mark.slow

EXAMPLE = "/runs/traced/prompts/one"
K = 4
ANSWER = "Paris. It has 2 rivers"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a tiny model and index, and one prompt with four passages in two runs: with an index and without."""
    shutil.copytree(made_home(), tmp_path / "home")
    store = open_store(settings_of(tmp_path / "home").url)
    with store.session() as session:
        corpus = get_corpus(session, "demo")
        prompts = add_prompts(
            session, "own", [PromptRecord("one", "The capital of France is", ANSWER)], corpus=corpus
        )
        model = register_model(session, "demo")
        (prompt,) = list_prompts(session, prompts.id)
        passages = session.scalars(select(Passage.id).order_by(Passage.id).limit(K)).all()
        for slug, index in (("traced", "demo"), ("loaded", None)):
            run = add_run(session, "trackstar", slug, model, corpus, prompts, 1, slug=slug)
            run.index_name = index
            result = Result(run_id=run.id, prompt_id=prompt.id, position=0, top_score=1.0)
            session.add(result)
            session.flush()
            rows = [
                {
                    "result_id": result.id,
                    "side": "proponent",
                    "rank": rank,
                    "passage_id": id_,
                    "score": 1 / rank,
                }
                for rank, id_ in enumerate(passages, start=1)
            ]
            session.execute(insert(Retrieved), rows)
    store.engine.dispose()
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = open_store(settings_of(home).url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def visit(home: Path) -> Iterator[Callable[..., TestClient]]:
    """Somebody who sends these headers to a site of the home, with these settings; the site is open until the test ends."""
    with ExitStack() as opened:
        yield lambda headers, **settings: opened.enter_context(
            TestClient(create_app(settings_of(home, **settings)), headers=headers)
        )


@pytest.fixture
def client(visit: Callable[..., TestClient]) -> TestClient:
    return visit({"Origin": "http://testserver"})


def shaded(card: dict[str, Any]) -> list[dict[str, Any]]:
    """The spans that say how much a word carries; names are marked beside them."""
    return [span for span in card["spans"] if "-" in span["kind"]]


def test_each_word_is_shaded_by_what_the_worker_computed(
    client: TestClient, store: Store, home: Path
) -> None:
    """From the button to the shades: nothing is computed by looking, and the numbers are the method's own."""
    path = f"{EXAMPLE}?view=tokens"
    page = BeautifulSoup(client.get(path).text, "html.parser")
    assert client.get(f"{EXAMPLE}.json?view=tokens").json()["shading"]["status"] == "never asked"
    form = page.find("form", action=f"{EXAMPLE}/tokens")
    asked = client.post(form["action"], follow_redirects=False)
    assert asked.status_code == 303
    assert asked.headers["location"] == path
    waiting = client.get(path).text
    assert 'http-equiv="refresh"' in waiting  # without scripts the page asks again by itself
    client.post(form["action"])  # impatience queues nothing twice

    with worker_of(settings_of(home), store) as worker:
        assert worker.step() == 1
    said = client.get(f"{EXAMPLE}.json?view=tokens").json()
    assert said["shading"]["status"] == "done"
    index = open_index(home / "indexes" / "demo")
    encoder = index.encoder(load_model(home / "models" / "demo"))
    texts = [card["text"] for card in said["proponents"]]
    own = token_influences(encoder, Query.of_target("The capital of France is", ANSWER), texts)
    for card, each in zip(said["proponents"], own, strict=True):
        wanted = [(start, end, value) for start, end, value in each.passage if start < end]
        assert [(t["start"], t["end"]) for t in card["tokens"]] == [(start, end) for start, end, _ in wanted]
        assert [t["value"] for t in card["tokens"]] == pytest.approx(
            [value for _, _, value in wanted], abs=1e-4
        )
        values = {t["end"]: t["value"] for t in card["tokens"]}
        for span in shaded(card):
            sign, _, step = span["kind"].partition("-")
            assert (values[span["end"]] > 0) == (sign == "for")
            assert not card["text"][span["start"]].isspace()
            assert 1 <= int(step) <= 5
    darkest = [span for card in said["proponents"] for span in shaded(card) if span["kind"].endswith("-5")]
    assert darkest
    done = BeautifulSoup(client.get(path).text, "html.parser")
    split = said["parts"]
    assert [part["text"] for part in split["parts"]] == [" Paris. ", "It has ", "2", " rivers"]
    for at, each in enumerate(own):
        carried = [part["values"][at]["value"] for part in split["parts"]]
        assert sum(carried) == pytest.approx(each.score, rel=1e-5), "the parts are the whole"
        ends = len("The capital of France is It has 2 rivers") + len(" Paris.")
        of_last = [value for _, end, value in each.query if end > ends - len(" rivers")]
        assert carried[-1] == pytest.approx(sum(of_last), rel=1e-4, abs=1e-6)
    assert len(done.select(".by-part tfoot td")) == K
    assert done.select_one('.by-part button[name="part"]') is not None, "each part can be asked for alone"
    assert [p.get_text() for p in done.select(".proponent .passage")] == texts
    assert [mark.get_text() for mark in done.select(".legend mark[class*='-']")] == [
        "away",
        " ",
        " ",
        "towards",
    ]
    assert not done.find("meta", attrs={"http-equiv": "refresh"})


def test_a_run_whose_index_is_elsewhere_offers_no_token_influence(client: TestClient) -> None:
    """An imported file's run shows everything else."""
    said = client.get("/runs/loaded/prompts/one.json?view=tokens").json()
    assert said["shading"] is None
    assert "Word by word" not in [view["label"] for view in said["views"]]
    assert client.post("/runs/loaded/prompts/one/tokens").status_code == 409


def test_other_sites_cannot_make_the_worker_work(client: TestClient) -> None:
    answer = client.post(f"{EXAMPLE}/tokens", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403


def test_a_shading_is_no_trace_of_its_own(client: TestClient, store: Store, home: Path) -> None:
    """It stands in the queue like one, but is neither listed among the questions nor shown as a page."""
    client.post(f"{EXAMPLE}/tokens")
    with worker_of(settings_of(home), store) as worker:
        worker.step()
    assert client.get("/trace.json").json()["recent"] == []


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}

CRAWLER = {
    "User-Agent": "Mozilla/5.0 (Linux; Android 6.0.1) Chrome/1 Mobile (compatible; Google-InspectionTool/1.0;)"
}


def steps_queued(store: Store) -> list[str]:
    with store.session() as session:
        return [job.request["parent"] for job in session.scalars(select(Job).where(Job.kind == "steps"))]


def test_an_example_is_stepped_on_once_a_person_reads_it(
    visit: Callable[..., TestClient], store: Store, home: Path
) -> None:
    """The page is there at once; the worker does the rest, once."""
    client = visit(BROWSER, steps_per_lane=3)
    for _ in range(2):
        assert client.get(EXAMPLE).status_code == 200
    (parent,) = steps_queued(store)
    with worker_of(settings_of(home, steps_per_lane=3), store) as worker:
        assert worker.step() == 2  # and its words are shaded
    with store.session() as session:
        found = steps.steps_of(session, parent)
        assert found is not None
        assert found.whole
        retrieved = session.scalars(
            select(Retrieved.passage_id)
            .where(Retrieved.result_id == int(parent.split(":")[1]))
            .order_by(Retrieved.rank)
        )
        assert [dot.passage_id for dot in found.lanes["for"]] == list(retrieved)[:3]
        assert [len(found.lanes[name]) for name in ("words", "random", "against")] == [3, 3, 3]
    client.get(EXAMPLE)
    assert len(steps_queued(store)) == 1


def test_where_steps_are_dear_the_first_three_are_taken_and_the_page_says_so(
    visit: Callable[..., TestClient], store: Store, home: Path
) -> None:
    """As on a large model: here a page may cost no time at all, so that the small one's steps are dear, too."""
    dear: dict[str, Any] = {"steps_per_lane": 5, "steps_page_seconds": 0}
    client = visit(BROWSER, **dear)
    assert "were measured" not in client.get(EXAMPLE).text
    (parent,) = steps_queued(store)
    with worker_of(settings_of(home, **dear), store) as worker:
        worker.step()
    with store.session() as session:
        found = steps.steps_of(session, parent)
        assert found is not None
        assert [len(lane) for lane in found.lanes.values()] == [3, 3, 3, 3]
    page = BeautifulSoup(client.get(EXAMPLE).text, "html.parser")
    said = " ".join(page.select_one(".how").get_text(" ").split())
    assert re.search(
        r"Of the passages below (three|four|five|six) were measured; the others’ influence is estimated", said
    )
    assert "each of three traced passages" in " ".join(page.select_one(".verdict").get_text().split())


@pytest.mark.parametrize(
    ("seconds", "count", "wanted"),
    [(0.05, 10, 10), (1.5, 10, 10), (1.51, 10, 3), (4.0, 4, 3), (9.0, 2, 2), (0.0, 10, 10)],
)
def test_a_page_costs_no_more_than_a_minute_or_three_a_lane(seconds: float, count: int, wanted: int) -> None:
    assert affordable(seconds, count, 60) == wanted


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", BROWSER),
        ("GET", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}),
        ("GET", {"User-Agent": "python-httpx/0.28"}),
        ("GET", BROWSER | {"Sec-Purpose": "prefetch;prerender"}),
    ],
)
def test_who_does_not_read_makes_nobody_work(
    visit: Callable[..., TestClient], store: Store, method: str, headers: dict[str, str]
) -> None:
    client = visit(headers, steps_per_lane=3)
    assert client.request(method, EXAMPLE).status_code == 200
    assert steps_queued(store) == []


def test_a_crawler_that_runs_scripts_is_not_told_to_come_back(
    visit: Callable[..., TestClient], store: Store, home: Path
) -> None:
    """A worker is ready and nothing is measured yet: a person's page says that more comes, and asks for it every two
    seconds. A crawler, for whom nothing is made, would ask for ever."""
    site = visit({}, steps_per_lane=3).app
    script, person, crawler = (TestClient(site, headers=headers) for headers in ({}, BROWSER, CRAWLER))
    with worker_of(settings_of(home, steps_per_lane=3), store):
        told = crawler.get(EXAMPLE).text
        assert "every 2s" not in told
        assert 'http-equiv="refresh"' not in told
        assert steps_queued(store) == []
        assert script.get(f"{EXAMPLE}.json").json()["filling"] is False, "nobody asked for any"
        assert "every 2s" in person.get(EXAMPLE).text
        assert script.get(f"{EXAMPLE}.json").json()["filling"] is True
        assert crawler.get(EXAMPLE).text == told


def test_a_flood_of_readers_queues_no_more_than_may_wait(
    visit: Callable[..., TestClient], store: Store
) -> None:
    assert visit(BROWSER, steps_per_lane=3, steps_queue_limit=0).get(EXAMPLE).status_code == 200
    assert steps_queued(store) == []
