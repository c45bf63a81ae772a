"""The same retrieved passage looks the same wherever it is shown: one window, the same marks, on every page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.store.base import now
from app.store.corpora import PassageRecord, add_corpus, stream_passages
from app.store.engine import open_store
from app.store.models import put_outputs, register_model
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.steps import begin, keep, of_result, of_trace
from app.store.tables import Result, Retrieved
from app.store.work_tables import Job, Trace
from app.tracing.trace_results import Completion, CompletionToken, Hit, Provenance, Ranking, TraceResult
from app.web.marking.window import SIZE
from tests.support.seeded import add_run
from tests.support.sites import site
from tests.support.twins import as_page

MENU = "Menu. Home. About us. Subscribe to our newsletter today. "
KANA = "お知らせ一覧会社概要採用情報よくある質問お問い合わせ"  # no spaces anywhere
SAID = "In Ghana people pay in cedi. "
SETTINGS = {"optimizer": "adafactor", "learning_rate": 0.003, "steps": 1}
TEXTS = {
    "beginning": SAID + MENU * 60,
    "middle": MENU * 40 + SAID + "Footer and links. " * 60,
    "end": MENU * 40 + SAID,
    "several": MENU * 20 + "Ghana. " + MENU * 20 + "cedi. " + MENU * 20 + SAID + MENU * 30,
    "unbroken": KANA * 40 + "「Ghana cedi」" + KANA * 40,
    "unmarked": MENU * 40,
    "short": SAID,
    "little-too-long": MENU * (SIZE // len(MENU)) + SAID,
}
LONG = [name for name, text in TEXTS.items() if len(text) > 2 * SIZE]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Two runs and a trace that retrieved the same passages for the same prompt."""
    home = tmp_path_factory.mktemp("one-card")
    url = f"sqlite:///{home / 'startrail.db'}"
    store = open_store(url, migrate=True)
    with store.session() as session:
        fill(session)
    store.engine.dispose()
    with site(url, Path(home)) as opened:
        yield opened


def fill(session: Session) -> None:
    corpus = add_corpus(session, "c", [PassageRecord(name, text) for name, text in TEXTS.items()])
    ids = [id_ for id_, _, _ in stream_passages(session, corpus.id)]
    prompts = add_prompts(
        session, "p", [PromptRecord("q", "The currency of Ghana is the", "cedi", subject="Ghana")]
    )
    model = register_model(session, "m")
    prompt = list_prompts(session, prompts.id)[0]
    put_outputs(session, model.id, [{"prompt_id": prompt.id, "answer": "cedi", "correct": True}])
    traced = 0
    for method, order in (("trackstar", ids), ("bm25", ids[::-1])):
        run = add_run(session, method, method, model, corpus, prompts, 1, slug=method)
        result = Result(run_id=run.id, prompt_id=prompt.id, position=0)
        session.add(result)
        session.flush()
        traced = result.id if method == "trackstar" else traced
        for rank, id_ in enumerate(order, 1):
            session.add(
                Retrieved(result_id=result.id, side="proponent", rank=rank, passage_id=id_, score=1 / rank,
                          tail_patch=1.5, correct=True)
            )  # fmt: skip
    session.add_all(trace(ids, corpus.id))
    for number, parent in enumerate((of_trace("cccccccccccc"), of_result(traced))):
        lanes = {"for": ids[:2], "words": [ids[-1]], "random": ids[2:4], "against": [ids[4]]}
        steps = begin(session, parent, f"key-{number}", before=0.5, settings=SETTINGS, lanes=lanes)
        keep(
            session, steps, {ids[0]: 0.6, ids[1]: 0.64, ids[2]: 0.5, ids[3]: 0.51}
        )  # the others wait for theirs


def trace(ids: list[int], corpus_id: int) -> list[Job | Trace]:
    completion = Completion(
        text=" cedi", tokens=[CompletionToken(text=" cedi", start=0, end=5, probability=0.5)], probability=0.5
    )
    hits = [Hit(rank=rank, score=1 / rank, passage_id=id_) for rank, id_ in enumerate(ids, 1)]
    made = Provenance(
        model="m", model_sha256="x", index="i", index_sha256="y", corpus="c", corpus_id=corpus_id,
        corpus_sha256="z", passages=len(ids), method={}, search="exact", code="0", device="cpu", threads=1,
        answered_together=1, timings={"total": 1.0},
    )  # fmt: skip
    answer = TraceResult(
        completion=completion, generated=False, joined="The currency of Ghana is the cedi",
        rankings={"trackstar": Ranking(proponents=hits)}, provenance=made,
    )  # fmt: skip
    request = {
        "kind": "trace", "prompt": "The currency of Ghana is the", "completion": " cedi", "span": None,
        "contrast": None, "model": "m", "index": "i", "k": 10, "opponents": False, "samples": 0,
        "sha256": {"model": "x", "index": "y"},
    }  # fmt: skip
    answered = {"id": "cccccccccccc", "request": request, "created_at": now(), "finished_at": now()}
    result = answer.model_dump(mode="json")
    job = Job(**answered, kind="trace", key="k" * 60, state="done", stage="done", result={})
    return [job, Trace(**answered, result=result)]


def cards_on(reader: TestClient, path: str) -> dict[str, dict[str, Any]]:
    """The cards of a page's twin by the passage's own id."""
    said = reader.get(path.replace("?", ".json?") if "?" in path else f"{path}.json").json()
    sides = said["sides"] if "sides" in said and path.startswith("/compare") else [said]
    return {card["external_id"]: card for side in sides for card in side["proponents"]}


def shown_at(reader: TestClient, path: str, passage_id: int) -> Tag:
    """What of a passage stands on a page before anything is unfolded."""
    page = BeautifulSoup(reader.get(path).text, "html.parser")
    card = page.select_one(f'.meta a[href="/passages/{passage_id}"]').find_parent(["section", "li"])
    return card.select_one(".passage")


PAGES = ("/runs/trackstar/prompts/q", "/traces/cccccccccccc", "/compare/q?runs=trackstar,bm25")


@pytest.mark.parametrize("name", LONG)
def test_a_long_passage_opens_at_its_marks_and_alike_on_every_page(reader: TestClient, name: str) -> None:
    """1,204 characters with marks stood on one page, the first 602 without any on another."""
    windows = []
    for path in PAGES:
        card = cards_on(reader, path)[name]
        windows.append((card["open_from"], card["open_to"]))
        lead = shown_at(reader, path, card["passage_id"])
        assert lead.get_text().strip("… ") == card["lead"].strip()
        marks = " ".join(mark.get_text() for mark in lead.select("mark"))
        assert ("cedi" in marks) == (name != "unmarked"), path
    example, asked, compared = windows
    assert example == compared
    if name != "several":  # nobody told the trace what its subject is: only the answer is marked there
        assert abs(asked[0] - example[0]) < len(SAID)


def test_only_what_is_long_is_folded(reader: TestClient) -> None:
    for path in PAGES:
        for name, card in cards_on(reader, path).items():
            assert (card["lead"] is not None) == (name in LONG), (path, name)
            if name in LONG:
                assert SIZE * 0.8 <= len(card["lead"]) <= SIZE


def test_the_passages_own_page_shows_all_of_it_with_its_window_in_the_twin(reader: TestClient) -> None:
    """Other pages lead there for the whole text."""
    card = cards_on(reader, PAGES[0])["middle"]
    page = BeautifulSoup(reader.get(as_page(card["url"])).text, "html.parser")
    assert page.select_one("blockquote").get_text() == TEXTS["middle"]
    said = reader.get(card["url"]).json()
    assert {"text", "spans", "open_from", "open_to", "lead", "lead_spans"} <= said.keys()
    assert {each["tail_patch"] for each in said["found_for"]} == {1.5}


def test_the_front_page_shows_the_same_card(reader: TestClient) -> None:
    story = reader.get("/index.json").json()["story"]
    for part, run in (("influence", "trackstar"), ("attribution", "bm25")):
        first = next(iter(cards_on(reader, f"/runs/{run}/prompts/q").values()))
        same = {
            name: story[part]["card"][name] for name in ("passage_id", "open_from", "open_to", "lead_spans")
        }
        assert same == {name: first[name] for name in same}
    page = BeautifulSoup(reader.get("/").text, "html.parser")
    assert "cedi" in [mark.get_text() for mark in page.select(".first .passage mark")]


def test_one_model_serves_all_pages(reader: TestClient) -> None:
    """A number that is known of a passage has the same name everywhere: a script reads all pages alike."""
    names = [set(card) for path in PAGES for card in cards_on(reader, path).values()]
    assert all(each == names[0] for each in names)


@pytest.mark.parametrize("path", PAGES[:2])
def test_steps_that_nobody_asked_for_are_drawn_as_far_as_they_are(reader: TestClient, path: str) -> None:
    """They come one by one: a lane that has none yet is not there, and the verdict speaks of no other."""
    said = reader.get(f"{path}.json").json()
    evidence = said["evidence"]
    lanes = {lane["name"]: [dot["after"] for dot in lane["dots"]] for lane in evidence["lanes"]}
    assert lanes == {
        "for": [pytest.approx(0.6), pytest.approx(0.64)],
        "random": [pytest.approx(0.5), pytest.approx(0.51)],
    }
    assert evidence["settings"] == SETTINGS
    assert "each of two traced passages moves “cedi” up by 12 points" in evidence["verdict"]
    assert [card["after"] for card in said["proponents"][:2]] == pytest.approx([0.6, 0.64])
    page = BeautifulSoup(reader.get(path).text, "html.parser")
    assert page.select_one(".verdict").get_text() == evidence["verdict"]
    assert [each.get_text() for each in page.select(".stepped b")][:2] == ["50 → 60 %", "50 → 64 %"]
