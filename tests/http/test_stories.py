"""The front page's story is chosen by rule from what was measured, so that it is told by no hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.store.engine import open_store
from app.store.steps import begin, keep, of_result
from app.store.stories import best_stepped
from app.store.tables import Output, Prompt, Result, Retrieved, Run
from tests.support.seeded import fill
from tests.support.sites import site, store_of
from tests.support.twins import as_page

# By result: where the steps on a traced passage, on one by words and on a random one leave the answer, from 0.5.
ENDS = {
    0: (0.9, 0.6, 0.5),  # words move it up, too
    1: (0.8, 0.3, 0.5),
    2: (0.7, 0.1, 0.5),  # the widest gap
    3: (0.95, 0.05, 0.9),  # but so do random ones
}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[TestClient]:
    """A site whose traced run was stepped on for four prompts."""
    url = f"sqlite:///{tmp_path / 'startrail.db'}"
    store = open_store(url, migrate=True)
    with store.session() as session:
        fill(session, prompts=8, passages=60, k=3)
        run = session.scalars(select(Run).where(Run.slug == "trackstar")).one()
        results = session.scalars(select(Result).where(Result.run_id == run.id).order_by(Result.id)).all()
        passages = session.scalars(
            select(Retrieved.passage_id).distinct().order_by(Retrieved.passage_id)
        ).all()
        for at, ends in ENDS.items():
            for_, words, random = passages[3 * at : 3 * at + 3]
            lanes = {"for": [for_], "words": [words], "random": [random]}
            made = begin(
                session, of_result(results[at].id), f"key-{at}", before=0.5, settings={}, lanes=lanes
            )
            keep(session, made, dict(zip((for_, words, random), ends, strict=True)))
            output = session.scalars(select(Output).where(Output.prompt_id == results[at].prompt_id)).one()
            output.correct = True
    store.engine.dispose()
    with site(url, tmp_path) as opened:
        yield opened


def test_the_widest_gap_that_chance_does_not_explain_is_told(reader: TestClient) -> None:
    with store_of(reader).session() as session:
        run = session.scalars(select(Run).where(Run.slug == "trackstar")).one()
        results = session.scalars(select(Result).where(Result.run_id == run.id).order_by(Result.id)).all()
        told = best_stepped(session, run)
        assert told is not None
        assert told.result_id == results[2].id
        assert told.gap == pytest.approx(0.6)
        session.scalars(select(Output).where(Output.prompt_id == results[2].prompt_id)).one().correct = False
        session.flush()
        told = best_stepped(session, run)
        assert told is not None
        assert told.result_id == results[1].id, (
            "the model does not say this target, so it is no story of what it says"
        )


def test_the_front_page_tells_it_with_the_numbers_that_were_measured(reader: TestClient) -> None:
    story = reader.get("/index.json").json()["story"]
    beats = [story[part]["card"] for part in ("attribution", "influence")]
    assert [(card["before"], card["after"]) for card in beats] == [(0.5, 0.1), (0.5, pytest.approx(0.7))]
    page = BeautifulSoup(reader.get("/").text, "html.parser")
    assert [each.get_text().strip() for each in page.select(".beat .big")] == [
        "50 → 10 %",
        "50 → 70 %",
        "50 → 50 %",
    ]
    assert as_page(story["url"]) in [link["href"] for link in page.select(".story a")]


CHAT = "<|im_start|>system\nBe <b>brief</b>.<|im_end|>\n<|im_start|>user\nWho made it?<|im_end|>\n<|im_start|>assistant\n"


def test_a_chat_is_shown_in_turns_and_nowhere_in_the_words_of_its_template(reader: TestClient) -> None:
    with store_of(reader).session() as session:
        run = session.scalars(select(Run).where(Run.slug == "trackstar")).one()
        prompts = session.scalars(select(Prompt).where(Prompt.prompt_set_id == run.prompt_set_id)).all()
        for prompt in prompts:
            prompt.text = CHAT
        slug = prompts[0].slug
        session.commit()
    example = f"/runs/trackstar/prompts/{slug}"
    page = BeautifulSoup(reader.get(example).text, "html.parser")
    turns = [each.get_text() for each in page.select("h1 .turn")]
    assert turns == ["system Be <b>brief</b>.", "user Who made it?", "assistant "]
    assert reader.get(f"{example}.json").json()["prompt"] == CHAT, "what the model read is kept as it is"
    assert (
        "Asked “Who made it?”, this model says “" in BeautifulSoup(reader.get("/").text, "html.parser").text
    )
    for path in (
        "/",
        "/prompts?run=trackstar",
        example,
        f"{example}/cite",
        "/finds",
        "/finds.atom",
        f"{example}?embed=1",
    ):
        assert "im_start" not in reader.get(path).text.split("<form", 1)[0], path
