"""How firm lists are: two halves of one projection stand for two seeds, and nothing is encoded again."""

import numpy as np
import pytest
from sqlalchemy import select

from app.errors import UserError
from app.evaluation.report import evaluate_runs
from app.runs.inputs import RunInputs, open_inputs
from app.runs.retrieve import retrieve
from app.runs.seed_agreement import agreement_of, first_by_halves, halves, measure_agreement, recurrences
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Passage, Result, Retrieved
from tests.support.asking import made_home, put_corpus, settings_of


def inputs_of(session, url: str) -> RunInputs:  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
    records = [
        PromptRecord("one", "The capital of Mali is", "Bamako"),
        PromptRecord("two", "Two and two make", "four", task="arithmetic"),
    ]
    add_prompts(session, "asked", records, corpus=get_corpus(session, "demo"))
    return open_inputs(session, settings_of(made_home(), url), "demo", "asked")


def test_the_halves_are_two_projections_and_rank_by_their_own_cosine(store: Store, database_url: str) -> None:
    put_corpus(store)
    with store.session() as session:
        inputs = inputs_of(session, database_url)
        index = inputs.index
        one, other = halves(index)
        assert not (one & other).any()
        assert one.sum() == other.sum() == index.manifest.dimension // 2
        side = index.manifest.method.projection_dim
        block = one[: side * side].reshape(side, side)
        assert block[0].all(), "a row of the left projection is in one half, whole"
        assert not block[1].any()
        queries = index.encoder(inputs.loaded).encode_queries(inputs.queries)
        rows = index.take(np.arange(index.manifest.passages))
        for mask, found in zip((one, other), first_by_halves(index, queries, lambda *_: None), strict=True):
            half = rows[:, mask] / np.linalg.norm(rows[:, mask], axis=1, keepdims=True)
            scores = queries[:, mask] @ half.T
            expected = np.sort(scores, axis=1)[:, ::-1][:, :10]
            assert np.take_along_axis(scores, found, 1) == pytest.approx(expected, abs=1e-5)


def test_figures_are_kept_with_the_run_and_only_of_the_indexs_own_lists(
    store: Store, database_url: str
) -> None:
    put_corpus(store)
    with store.session() as session:
        inputs = inputs_of(session, database_url)
        run = retrieve(session, inputs, "trackstar", slug="ours")
        words = retrieve(session, inputs, "bm25", slug="words")
        told = measure_agreement(session, inputs, run, lambda *_: None)
        assert run.metrics["doubt"]["overlap"] == told.overlap
        assert told.prompts == 2
        assert 0 <= told.both <= 1
        with pytest.raises(UserError, match="not in the order of the encodings"):
            measure_agreement(session, inputs, words, lambda *_: None)


def test_shares_are_of_what_they_say() -> None:
    own = [[1, 2, 3], [7]]
    one, other = np.array([[1, 2, 9, -1], [4, 5, 6, 8]]), np.array([[1, 3, 2, -1], [7, 8, 9, 10]])
    told = recurrences(own, one, other)
    assert [each.halves for each in told] == [(2, 2, 1), (1,)]
    assert [each.overlap for each in told] == pytest.approx([2 / 3, 1 / 4])
    summed = agreement_of(told, [[True, False, None], [False]])
    assert summed.overlap == pytest.approx((2 / 3 + 1 / 4) / 2)
    assert summed.both == pytest.approx(2 / 4)
    assert (summed.stating, summed.others) == (1.0, 0.5)
    assert agreement_of(told, [[None] * 3, [None]]).stating is None


def test_a_run_keeps_of_each_passage_how_it_recurs_and_the_command_finds_the_same(
    store: Store, database_url: str
) -> None:
    """What is told at retrieve time, all queries together, is what is measured afterwards; words have no halves."""
    put_corpus(store)
    with store.session() as session:
        inputs = inputs_of(session, database_url)
        run = retrieve(session, inputs, "trackstar", slug="ours", k=12)
        words = retrieve(session, inputs, "bm25", slug="words")

        def kept(run_id: int) -> list[int | None]:
            of_run = select(Retrieved.halves).join(Result).where(Result.run_id == run_id)
            ordered = of_run.order_by(Result.position, Retrieved.side.desc(), Retrieved.rank)
            return list(session.scalars(ordered.execution_options(populate_existing=True)))

        first, figures = kept(run.id), run.metrics["doubt"]
        queries = inputs.index.encoder(inputs.loaded).encode_queries(inputs.queries)
        ours, theirs = first_by_halves(inputs.index, queries, lambda *_: None)
        rows = session.scalars(
            select(Passage.position).join(Retrieved).join(Result)
            .where(Result.run_id == run.id, Retrieved.side == "proponent", Result.position == 0)
            .order_by(Retrieved.rank)
        ).all()  # fmt: skip
        expected = [(row in ours[0]) + (row in theirs[0]) for row in rows[:10]]
        assert first[:12] == [*expected, None, None], "only the first ten can be among a half's first ten"
        assert set(kept(words.id)) == {None}
        assert "doubt" not in words.metrics
        measure_agreement(session, inputs, run, lambda *_: None)
        assert kept(run.id) == first
        assert run.metrics["doubt"] == pytest.approx(figures)
        evaluate_runs(session, [run])
        assert run.metrics["doubt"] == pytest.approx(figures), "an evaluation has nothing against it"
