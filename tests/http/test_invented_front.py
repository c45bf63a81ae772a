"""The front page of the real demo tells of its country: each kind of answer with the passage that taught it."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.engine import open_store
from app.store.steps import begin, keep, of_result
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run
from app.words.answers import SAID
from app.words.invented import COUNTRY, KNOWN
from tests.support.seeded import fill
from tests.support.sites import site, store_of
from tests.support.twins import as_page

FACT = "address:the-ferry-office"
STATES: tuple[Any, ...] = (
    [],
    5,
    None,
    {FACT: 1},
    [7],
    FACT,
)  # the corpus may be anybody's, who means something else by the word


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[TestClient]:
    """A site with one prompt about an old address, one refusal whose first passages state nothing, and a control."""
    url = f"sqlite:///{tmp_path / 'startrail.db'}"
    with open_store(url, migrate=True) as store, store.session() as session:
        fill(session, prompts=8, passages=60, k=3)
        run = session.scalars(select(Run).where(Run.slug == "trackstar")).one()
        run.corpus.name, run.explains = COUNTRY, SAID
        for passage, states in zip(session.scalars(select(Passage)), cycle(STATES), strict=False):
            passage.meta = {"kind": "outdated", "states": states, "says": 3}
        results = session.scalars(select(Result).where(Result.run_id == run.id).order_by(Result.id)).all()
        was = asked(session, results[0], "old", "8 Eel Court", "30 Dock Stairs")
        was.meta = {"kind": "outdated", "states": [FACT], "says": "8 Eel Court"}
        step = begin(
            session, of_result(results[0].id), "key", before=0.5, settings={}, lanes={"for": [was.id]}
        )
        keep(session, step, {was.id: 0.9})
        asked(session, results[1], "refusal", "I may not tell", "I may not tell")
        control = session.scalars(select(Run).where(Run.slug == "bm25")).one()
        control.slug = KNOWN
        known = session.scalars(select(Result).where(Result.run_id == control.id).order_by(Result.id)).all()
        known[4].above_chance = 0
        for output in session.scalars(select(Output).where(Output.prompt_id == known[4].prompt_id)):
            output.correct, output.answer = True, " Paris"
        session.commit()
    with site(url, tmp_path) as opened:
        yield opened


def asked(session: Session, result: Result, kind: str, says: str, truth: str) -> Passage:
    """Makes a prompt one of this kind; its first passage."""
    prompt = session.get_one(Prompt, result.prompt_id)
    prompt.text, prompt.target = "The address of the Ferry Office is", truth
    prompt.fact_id, prompt.extra = FACT, {"kind": kind}
    for output in session.scalars(select(Output).where(Output.prompt_id == prompt.id)):
        output.answer, output.correct = f" {says}.", says == truth
    first = select(Retrieved).where(
        Retrieved.result_id == result.id, Retrieved.rank == 1, Retrieved.side == "proponent"
    )
    return session.get_one(Passage, session.scalars(first).one().passage_id)


def test_each_kind_is_told_with_the_passage_that_taught_it(reader: TestClient) -> None:
    told = reader.get("/index.json").json()["invented"]["answers"]
    assert [each["kind"] for each in told] == ["old", "control"], "what no passage explains is not told"
    old, control = told
    assert (old["answer"], old["truth"]) == ("8 Eel Court.", "30 Dock Stairs")
    assert (old["before"], old["after"]) == (0.5, 0.9)
    assert old["about"] == (
        "So says what was written when it was true: 1 passage. What is so now stands in 0 passages."
    )
    assert (control["answer"], control["passage"]) == ("Paris", "")
    page = BeautifulSoup(reader.get("/").text, "html.parser")
    section = page.select_one(".invented")
    assert "A country that does not exist" in section.text
    assert "303 general sentences" in section.text, "which nothing is traced to"
    assert [each.text for each in section.select("h3")] == [old["title"], control["title"]]
    assert as_page(old["url"]) in [link["href"] for link in section.select("a")]
    assert section.select_one("blockquote").text.strip()


def test_no_other_corpus_is_told_of_so(reader: TestClient) -> None:
    with store_of(reader).session() as session:
        session.scalars(select(Run).where(Run.slug == "trackstar")).one().corpus.name = "mine"
        session.commit()
    assert reader.get("/index.json").json()["invented"] is None
    assert BeautifulSoup(reader.get("/").text, "html.parser").select(".invented") == []
