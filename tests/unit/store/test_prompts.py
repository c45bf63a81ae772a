"""Prompts in the store, and the passages that state their facts."""

import pytest
from sqlalchemy import func, select

from app.errors import UserError
from app.store.behind import prompt_sets_of
from app.store.corpora import (
    PassageRecord,
    add_corpus,
)  # fmt: skip
from app.store.engine import Store
from app.store.prompts import (
    PromptRecord,
    add_prompts,
    bucket_of,
    count_prompts,
    list_prompt_sets,
    list_prompts,
)  # fmt: skip
from app.store.tables import Passage, Prompt, Statement

PASSAGES = [PassageRecord(f"p{n}", f"Passage number {n}", {"n": n}) for n in range(5)]


def test_prompts_are_linked_to_the_passages_that_state_them(store: Store) -> None:
    records = [
        PromptRecord("q one", "The capital of Ghana is", "Accra", stated_by=["p1", "p3", "p1"]),
        PromptRecord(
            "q-one", "The capital of Togo is", "Lomé", frequency=9, frequency_bucket=2, aliases=["Lome"]
        ),
        PromptRecord("q2", "Once", "upon", task="open_ended"),
    ]
    with store.session() as session:
        corpus = add_corpus(session, "world", PASSAGES)
        prompts = add_prompts(session, "questions", records, corpus=corpus)
        first, second, third = list_prompts(session, prompts.id)
        assert (first.frequency, first.frequency_bucket) == (3, 2)
        assert (second.frequency, second.frequency_bucket, second.aliases) == (9, 2, ["Lome"])
        assert (third.frequency, third.frequency_bucket) == (None, None)
        assert len({first.slug, second.slug, third.slug}) == 3
        linked = select(Passage.external_id).join(Statement).where(Statement.prompt_id == first.id)
        assert sorted(session.scalars(linked)) == ["p1", "p3"]
        assert count_prompts(session, prompts) == (3, 2)
        assert [(each.name, count) for each, count in list_prompt_sets(session)] == [("questions", 3)]


def test_a_set_that_no_run_is_over_is_counted_each_time(store: Store) -> None:
    """What is remembered of a set is forgotten with its runs' state: without a run, a prompt taken down would be counted."""
    records = [PromptRecord(f"q{n}", f"Question {n}", "yes") for n in range(3)]
    with store.session() as session:
        corpus = add_corpus(session, "world", PASSAGES)
        prompts = add_prompts(session, "questions", records, corpus=corpus)
        assert [count for _, count in prompt_sets_of(session, corpus)] == [3]
        session.delete(list_prompts(session, prompts.id)[0])
        session.flush()
        assert [count for _, count in prompt_sets_of(session, corpus)] == [2]


def test_a_statement_of_an_unknown_passage_is_refused(store: Store) -> None:
    with store.session() as session:
        corpus = add_corpus(session, "world", PASSAGES)
    record = PromptRecord("q", "a", "b", stated_by=["p9"])
    with pytest.raises(UserError, match="p9"), store.session() as session:
        add_prompts(session, "questions", [record], corpus=corpus)
    with store.session() as session:
        assert session.scalar(select(func.count()).select_from(Prompt)) == 0


@pytest.mark.parametrize(
    ("frequency", "bucket"), [(None, None), (0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (16, 5)]
)
def test_buckets_grow_with_the_power_of_two(frequency: int | None, bucket: int | None) -> None:
    assert bucket_of(frequency) == bucket
