"""What two runs share, asked of both databases and checked against sets."""

import random

import pytest
from sqlalchemy import select

from app.errors import NotFound, UserError
from app.store import compare, differences
from app.store.engine import Store
from app.store.tables import Corpus, Model, Passage, Prompt, PromptSet, Result, Retrieved, Run

Lists = dict[str, dict[str, list[str]]]  # run -> prompt -> external ids of its proponents


def fill(store: Store, *, one_set: bool) -> Lists:
    """Two runs over twelve prompts; with `one_set` False each has its own prompt set and corpus, as two files have."""
    dice = random.Random(3)
    lists: Lists = {}
    with store.session() as session:
        model = Model(name="m")
        session.add(model)
        corpus = prompts = None
        for name in ("a", "b"):
            if corpus is None or not one_set:
                corpus, prompt_set = Corpus(name=f"corpus-{name}"), PromptSet(name=f"set-{name}")
                session.add_all([corpus, prompt_set])
                session.flush()
                passages = {
                    f"p{i}": Passage(corpus_id=corpus.id, position=i, external_id=f"p{i}", text=f"text {i}")
                    for i in range(30)
                }
                prompts = [
                    Prompt(
                        prompt_set_id=prompt_set.id, position=i, external_id=f"e{i}", slug=f"q{i}", task="fact",
                        text=f"prompt {i}", target="x",
                    )
                    for i in range(12)
                ]  # fmt: skip
                session.add_all([*passages.values(), *prompts])
            run = Run(
                slug=name, name=name.upper(), method=name, model=model, corpus=corpus, prompt_set=prompt_set
            )
            session.add(run)
            session.flush()
            lists[name] = {}
            for i, prompt in enumerate(prompts or []):
                result = Result(run_id=run.id, prompt_id=prompt.id, position=i, first_correct_rank=i or None)
                session.add(result)
                session.flush()
                chosen = dice.sample(sorted(passages), 0 if i == 5 else 14)
                lists[name][prompt.slug] = chosen
                session.add_all(
                    Retrieved(result_id=result.id, side="proponent", rank=r, passage_id=passages[p].id)
                    for r, p in enumerate(chosen, 1)
                )
                session.add(
                    Retrieved(result_id=result.id, side="opponent", rank=1, passage_id=passages["p0"].id)
                )
    return lists


@pytest.mark.parametrize("one_set", [True, False])
def test_prompts_are_sorted_by_what_two_runs_share(store: Store, one_set: bool) -> None:
    """Page by page the same as all at once, and the counts are those of the sets."""
    lists = fill(store, one_set=one_set)
    shared = {q: len(set(lists["a"][q][:10]) & set(lists["b"][q][:10])) for q in lists["a"]}
    del shared["q5"]  # nothing was retrieved for it: there is nothing to compare
    with store.session() as session:
        a, b = compare.runs_named(session, ["a", "b"])
        rows, after = [], None
        while page := differences.differences(session, a, b, after=after, limit=5):
            rows += page
            after = (page[-1].overlap, page[-1].position)
        assert {row.prompt.slug: row.shared for row in rows} == shared
        assert [(r.overlap, r.position) for r in rows] == sorted((r.overlap, r.position) for r in rows)
        assert {(r.of, r.overlap) for r in rows} == {(10, s * 10) for s in shared.values()}
        counts = differences.overlaps(session, a, b)
        assert counts == {10 * n: list(shared.values()).count(n) for n in sorted(set(shared.values()))}


@pytest.mark.parametrize("one_set", [True, False])
def test_the_same_prompt_is_found_in_each_run(store: Store, one_set: bool) -> None:
    lists = fill(store, one_set=one_set)
    with store.session() as session:
        runs = compare.runs_named(session, ["b", "a"])
        prompt = compare.prompt_named(session, runs[0], "q3")
        sides = compare.columns(session, runs, prompt)
        assert [side.run.slug for side in sides] == ["b", "a"]
        ids = [side.result.id for side in sides if side.result]
        ranks = compare.ranks(session, ids)
        assert [[key for _, key in ranks[id_]] for id_ in ids] == [lists["b"]["q3"], lists["a"]["q3"]]
        first = compare.proponents(session, ids, 4)
        assert [[row.passage.external_id for row in first[id_]] for id_ in ids] == [
            lists["b"]["q3"][:4], lists["a"]["q3"][:4],
        ]  # fmt: skip
        assert [run.slug for run in compare.runs_with(session, prompt)] == ["a", "b"]


def test_a_prompt_of_another_text_is_not_the_same_for_having_the_same_id(store: Store) -> None:
    """Files count their examples from 1: equal ids alone say nothing."""
    fill(store, one_set=False)
    with store.session() as session:
        a, b = compare.runs_named(session, ["a", "b"])
        prompt = compare.prompt_named(session, a, "q1")
        prompt.text = "another question"
        session.flush()
        assert [side.result is None for side in compare.columns(session, [a, b], prompt)] == [False, True]


@pytest.mark.parametrize("names", [[], ["a"], ["a", "a"], ["a", "b", "c", "d", "e"]])
def test_two_to_four_different_runs_can_be_compared(store: Store, names: list[str]) -> None:
    with store.session() as session, pytest.raises(UserError, match="2 to 4"):
        compare.runs_named(session, names)


def test_an_unknown_run_or_prompt_is_named(store: Store) -> None:
    fill(store, one_set=True)
    with store.session() as session:
        with pytest.raises(NotFound, match="nowhere"):
            compare.runs_named(session, ["a", "nowhere"])
        with pytest.raises(NotFound, match="q99"):
            compare.prompt_named(session, compare.runs_named(session, ["a", "b"])[0], "q99")


@pytest.mark.parametrize("both", [True, False])
def test_where_the_model_was_wrong_what_it_said_is_compared(store: Store, both: bool) -> None:
    """The list named targets that nothing was compared for: a row led to a page about another text.

    With what was said known of one run only, the targets' lists are all that can be compared.
    """
    lists = fill(store, one_set=True)
    with store.session() as session:
        a, b = compare.runs_named(session, ["a", "b"])
        for run in (a, b) if both else (a,):
            said = Run(
                slug=f"{run.slug}-said", name="said", method=run.method, explains="said", beside_id=run.id,
                model_id=run.model_id, corpus_id=run.corpus_id, prompt_set_id=run.prompt_set_id,
            )  # fmt: skip
            session.add(said)
            session.flush()
            prompt = compare.prompt_named(session, run, "q3")
            result = Result(run_id=said.id, prompt_id=prompt.id, position=3)
            session.add(result)
            session.flush()
            passages = session.scalars(select(Passage.id).order_by(Passage.position).limit(10)).all()
            session.add_all(
                Retrieved(result_id=result.id, side="proponent", rank=r, passage_id=id_)
                for r, id_ in enumerate(passages, 1)
            )
        session.flush()
        rows = {row.prompt.slug: row for row in differences.differences(session, a, b)}
        own = len(set(lists["a"]["q3"][:10]) & set(lists["b"]["q3"][:10]))
        assert (rows["q3"].explains, rows["q3"].shared) == (("said", 10) if both else ("target", own))
        assert {row.explains for slug, row in rows.items() if slug != "q3"} == {"target"}
        assert len(rows) == 11
        assert sum(differences.overlaps(session, a, b).values()) == 11
