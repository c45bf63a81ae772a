"""Addresses that were good once: found where the thing is now, or told why it is gone."""

from dataclasses import dataclass

import pytest

from app.store.engine import Store
from app.store.permalinks import leave_tombstone, moved_to, reason_gone
from app.store.tables import Corpus, Model, Passage, Prompt, PromptSet, Run


@dataclass
class Ids:
    prompt: int
    passage: int
    run: int


@pytest.fixture
def ids(store: Store) -> Ids:
    with store.session() as session:
        corpus, other, model, prompts = (
            Corpus(name="c"),
            Corpus(name="d"),
            Model(name="m"),
            PromptSet(name="s"),
        )
        session.add_all([corpus, other, model, prompts])
        session.flush()
        run = Run(
            slug="track-star", name="Track Star!", method="x", model=model, corpus=corpus, prompt_set=prompts
        )
        prompt = Prompt(
            prompt_set_id=prompts.id, position=0, external_id="trex:0042", slug="ghana-cedi", task="fact", text="t",
            target="x",
        )  # fmt: skip
        passage = Passage(corpus_id=corpus.id, position=0, external_id="wiki/7", text="t")
        twice = [Passage(corpus_id=c.id, position=1, external_id="twice", text="t") for c in (corpus, other)]
        session.add_all([run, prompt, passage, *twice])
        session.flush()
        return Ids(prompt.id, passage.id, run.id)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/runs/Track-Star", "/runs/track-star"),
        ("/runs/Track%20Star!", "/runs/track-star"),
        ("/runs/{run}", "/runs/track-star"),
        ("/runs/{run}/prompts/{prompt}", "/runs/track-star/prompts/ghana-cedi"),
        ("/runs/track-star/prompts/Ghana_Cedi.json", "/runs/track-star/prompts/ghana-cedi.json"),
        ("/runs/track-star/prompts/trex:0042", "/runs/track-star/prompts/ghana-cedi"),
        ("/runs/track-star/prompts/ghana-cedi/", "/runs/track-star/prompts/ghana-cedi"),
        ("/runs/TRACK-STAR/prompts/ghana-cedi/cite.bib", "/runs/track-star/prompts/ghana-cedi/cite.bib"),
        ("/passages/wiki/7", "/passages/{passage}"),
    ],
)
def test_a_thing_is_found_by_the_other_names_people_have_for_it(
    old: str, new: str, store: Store, ids: Ids
) -> None:
    names = vars(ids)
    with store.session() as session:
        assert moved_to(session, old.format(**names)) == new.format(**names)


@pytest.mark.parametrize(
    "path",
    [
        "/runs/other", "/runs/track-star", "/runs/track-star/prompts/none", "/passages/twice", "/nowhere",
        "/runs/track-star/prompts/999999999999999999999", "/runs/%00", "/passages/%00x", "/",
    ],
)  # fmt: skip
def test_what_is_unknown_unclear_or_already_right_leads_nowhere(path: str, store: Store, ids: Ids) -> None:
    """A redirect to a guess, or to itself, is worse than none."""
    with store.session() as session:
        assert moved_to(session, path) is None
        assert reason_gone(session, path) is None


def test_what_was_removed_says_why_and_so_does_everything_below_it(store: Store) -> None:
    with store.session() as session:
        leave_tombstone(session, "/runs/old/", "Withdrawn: the corpus held private mail.")
    with store.session() as session:
        for path in (
            "/runs/old",
            "/runs/old.json",
            "/runs/old/",
            "/runs/old/prompts/x",
            "/runs/old/prompts/x.json",
        ):
            assert reason_gone(session, path) == "Withdrawn: the corpus held private mail."
        assert reason_gone(session, "/runs/older") is None
        assert reason_gone(session, "/runs") is None
