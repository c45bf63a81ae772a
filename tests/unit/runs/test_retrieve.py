"""Runs as they are saved: whole, with what states the fact marked; every variant of the method from one pass."""

from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.text import Query
from app.runs.ablate import ablate, paper_variants
from app.runs.answers import ensure_answers
from app.runs.inputs import RunInputs, open_inputs
from app.runs.retrieve import retrieve
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Output, Passage, Result, Retrieved, Run
from app.trackstar.encode import Encoder
from tests.support.asking import made_home, passages, put_corpus, settings_of

pytestmark = pytest.mark.slow


def prepared(store: Store, url: str) -> None:
    """The corpus `demo`, and three prompts; passage 4 states the first one's fact."""
    put_corpus(store)
    with store.session() as session:
        corpus = get_corpus(session, "demo")
        records = [
            PromptRecord("one", "The capital of Mali is", "Bamako", stated_by=[passages()[4][0]]),
            PromptRecord("two", "Two and two make", "four", task="arithmetic"),
            PromptRecord("three", "The owl wanted", "to sing", task="open_ended"),
        ]
        add_prompts(session, "asked", records, corpus=corpus)


def task_of(session: Session, url: str) -> RunInputs:
    return open_inputs(session, settings_of(made_home(), url), "demo", "asked")


def test_a_run_says_what_it_found_and_which_passages_state_the_fact(store: Store, database_url: str) -> None:
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        ensure_answers(session, task)
        run = retrieve(session, task, "trackstar", slug="ours", k=300, opponents=2)
        kept = select(Retrieved).join(Result).where(Result.run_id == run.id)
        rows = session.scalars(kept.order_by(Retrieved.rank)).all()
        first = session.scalars(
            select(Result).where(Result.run_id == run.id).order_by(Result.position)
        ).first()
        assert session.scalar(select(func.count()).select_from(Output)) == 3
        assert run.prompt_count == 3
        assert run.configuration["hessian"]["mixing"] == 0
        stating = [row for row in rows if row.correct and row.side == "proponent"]
        assert [row.result_id for row in stating] == [first.id]
        assert first.first_correct_rank == stating[0].rank
        low = [row.score or 0 for row in rows if row.side == "opponent" and row.result_id == first.id]
        high = [row.score or 0 for row in rows if row.side == "proponent" and row.result_id == first.id]
        assert low == sorted(low)
        assert high == sorted(high, reverse=True)
        assert low[0] == pytest.approx(high[-1], abs=1e-6), "the last proponent of all is the first opponent"


def test_a_name_is_used_once(store: Store, database_url: str) -> None:
    """A second run of the name is refused, and nothing of it stays."""
    prepared(store, database_url)
    with store.session() as session:
        retrieve(session, task_of(session, database_url), "bm25", slug="ours")
    with pytest.raises(UserError, match="already"), store.session() as session:
        retrieve(session, task_of(session, database_url), "random", slug="ours")
    with store.session() as session:
        assert session.scalars(select(Run.method)).all() == ["bm25"]


def test_controls_are_what_they_say(store: Store, database_url: str) -> None:
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        truth = retrieve(session, task, "ground-truth", slug="truth")
        drawn = [retrieve(session, task, "random", slug=f"random-{n}", k=20) for n in (1, 2)]
        kept = session.scalars(select(Retrieved.correct).join(Result).where(Result.run_id == truth.id)).all()
        assert kept == [True]
        lists = [
            session.scalars(
                select(Retrieved.passage_id)
                .join(Result)
                .where(Result.run_id == run.id)
                .order_by(Result.id, Retrieved.rank)
            ).all()
            for run in drawn
        ]
        assert lists[0] == lists[1], "the same seed draws the same passages"
        assert len(lists[0]) == 60


def test_a_passage_traced_as_its_own_query_comes_first(store: Store, database_url: str) -> None:
    """Prompt nothing, complete with the passage: its encoding is all but the passage's own."""
    from app.retrieval.search import open_search

    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
    rows = [3, 50, 120, 299]
    encoded = task.index.encoder(task.loaded).encode_queries([Query("", passages()[row][1]) for row in rows])
    _, found = open_search(task.index).search(encoded, 1)
    assert found[:, 0].tolist() == rows


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_passage_whose_gradient_is_no_number_is_no_hit_of_an_ablation(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an index: its row is zero, and 0 would beat every passage that speaks against the target."""
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        overflowing = set(task.loaded.texts.passages([passages()[7][1]]))
        gradients = Encoder.gradients

        def spoiled(self: Encoder, examples: Any, **options: Any) -> Any:
            rows = gradients(self, examples, **options)
            rows[[example in overflowing for example in examples]] = torch.inf
            return rows

        monkeypatch.setattr(Encoder, "gradients", spoiled)
        variants = {name: paper_variants(task.index.manifest.method)[name] for name in ("+V", "+V+R_train")}
        ablate(session, task, variants, k=300, sample=300)
        spoilt = session.scalar(select(Passage.id).where(Passage.external_id == passages()[7][0]))
        found = set(session.scalars(select(Retrieved.passage_id)))
        assert len(found) > 290
        assert spoilt not in found


def test_ablations_agree_with_the_index(store: Store, database_url: str) -> None:
    """+V+R_train computed on the way, without an index, ranks as the index of that method does."""
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        variants = paper_variants(task.index.manifest.method)
        runs = {run.method: run for run in ablate(session, task, variants, k=5, opponents=2, sample=300)}
        indexed = retrieve(session, task, "trackstar", slug="indexed", k=5, opponents=2)
        assert set(runs) == set(variants)

        def listed(run: Run) -> tuple[list[int], np.ndarray]:
            query = select(Retrieved.passage_id, Retrieved.score).join(Result).where(Result.run_id == run.id)
            found = session.execute(query.order_by(Result.id, Retrieved.side, Retrieved.rank)).all()
            return [row[0] for row in found], np.array([row[1] for row in found])

        ours, theirs = listed(runs["+V+R_train"]), listed(indexed)
        same = np.mean([a == b for a, b in zip(ours[0], theirs[0], strict=True)])
        assert same > 0.8, "float16 rows may swap near ties, no more"
        assert np.allclose(ours[1], theirs[1], atol=2e-3)
        assert runs["trackstar"].configuration["hessian"]["rows_eval"] == 1, "R_eval is of the facts' queries"
        assert runs["gradient-dot"].configuration["method"]["unit_norm"] is False
