"""A run explains what the model said, where it is asked to: the same tokens that the model wrote, and no others."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.evaluation.patching import patch_runs
from app.models.generate import complete
from app.models.steps import TailPatch
from app.models.text import Query
from app.runs.answers import ensure_answers
from app.runs.inputs import RunInputs, alone, explaining, inputs_of
from app.runs.retrieve import explain, retrieve
from app.store.engine import Store
from app.store.examples import get_example
from app.store.runs import get_run, list_runs, remove_run, run_beside
from app.store.tables import Output, Prompt, Result, Retrieved, Run
from app.words.answers import answer_end
from tests.support.asking import made_home, settings_of
from tests.support.sites import site
from tests.unit.runs.test_retrieve import prepared, task_of

pytestmark = pytest.mark.slow


def test_a_run_of_what_was_said_searches_for_the_models_own_tokens(store: Store, database_url: str) -> None:
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        ensure_answers(session, task, explains="said")
        own = explaining(session, task, "said")
        said = complete(task.loaded, [prompt.text for prompt in task.prompts], max_new_tokens=16)
        assert [query.tokens for query in own.queries] == [each.tokens for each in said]
        for query, each in zip(own.queries, said, strict=True):
            end = answer_end(each.text)
            assert query.joined == query.prompt + each.text
            assert query.span == ((0, end) if end < len(each.text) else None)
        run = retrieve(session, alone(own), "trackstar", slug="said", k=5)
        assert run.explains == "said"
        plain = retrieve(session, task, "trackstar", slug="meant", k=5)
        assert plain.explains == "target"
        first = (
            select(Retrieved.score).join(Result).where(Result.run_id == run.id, Retrieved.side == "proponent")
        )
        scores = session.scalars(first.order_by(Result.position, Retrieved.rank)).all()
        encoder = task.index.encoder(task.loaded)
        encoded = encoder.encode_queries(own.queries)
        rows = np.concatenate(
            [encoder.encode_passages(own_texts(session, run.id)) @ query for query in encoded]
        )
        assert max(rows) == pytest.approx(max(filter(None, scores)), abs=2e-3)


def own_texts(session: Session, run_id: int) -> list[str]:
    """The texts of all passages that a run retrieved."""
    from app.store.tables import Passage

    query = select(Passage.text).join(Retrieved, Retrieved.passage_id == Passage.id).join(Result)
    return list(session.scalars(query.where(Result.run_id == run_id)))


def test_a_tail_patch_measures_what_the_run_explains(store: Store, database_url: str) -> None:
    """Two runs share passages, not what is asked of them: a step's effect on the one is not that on the other."""
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        ensure_answers(session, task, explains="said")
        retrieve(session, explaining(session, task, "said"), "random", slug="said", k=3)
        retrieve(session, task, "random", slug="meant", k=3)
    patch = TailPatch(task.loaded)
    patch_runs(store, ["said", "meant"], patch, k=3)
    with store.session() as session:
        for slug in ("said", "meant"):
            query = (
                select(Prompt, Output, Retrieved)
                .join(Output, Output.prompt_id == Prompt.id)
                .join(Result, Result.prompt_id == Prompt.id)
                .join(Retrieved, Retrieved.result_id == Result.id)
                .join(Result.run)
                .where(Result.run.has(slug=slug), Prompt.external_id == "one")
            )
            for prompt, output, row in session.execute(query):
                asked = Query.explaining(
                    "said" if slug == "said" else "target",
                    prompt.text,
                    prompt.target,
                    output.said,
                    output.said_tokens,
                )
                wanted = patch.measure(asked, [row.passage.text])[0]
                assert row.tail_patch == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_the_page_opens_on_what_was_said_with_the_truth_beside_it(store: Store, database_url: str) -> None:
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        ensure_answers(session, task, explains="said")
        retrieve(session, explaining(session, task, "said"), "trackstar", slug="said", k=5)
        retrieve(session, task, "trackstar", slug="meant", k=5)
    with site(database_url, made_home()) as client:
        assert isinstance(client, TestClient)
        said = client.get("/runs/said/prompts/one.json").json()
        meant = client.get("/runs/meant/prompts/one.json").json()
        page = client.get("/runs/said/prompts/one").text
    assert (said["explains"], meant["explains"]) == ("said", "target")
    assert said["correct"] is False
    assert said["explained"] == said["answer"]
    assert (said["rather_than"], meant["rather_than"]) == ("Bamako", None)
    assert meant["explained"] == "Bamako"
    assert said["said_probability"] > 0
    assert "contrast=" in said["trace_url"]
    assert "rather than" in page


def test_a_run_explains_one_of_two_things(store: Store, database_url: str) -> None:
    prepared(store, database_url)
    with store.session() as session, pytest.raises(UserError, match="said or the target"):
        explain(session, task_of(session, database_url), "random", "meant", slug="run")


def test_what_was_said_stands_beside_the_targets_only_where_it_is_something_else(
    store: Store, database_url: str
) -> None:
    """Figures are over targets, as in the paper; a mistake is explained as what it is, at the price of the mistakes."""
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        ensure_answers(session, task, explains="said")
        # The second prompt is answered by its target: there is one text to explain, and it is explained once.
        second = next(prompt for prompt in task.prompts if prompt.external_id == "two")
        output = session.scalar(select(Output).where(Output.prompt_id == second.id))
        second.target = str(output.answer)
        session.flush()
        task = task_of(session, database_url)
        for method in ("trackstar", "bm25"):
            targets, said = explain(session, task, method, "both", slug=method, k=3)
            assert (targets.explains, said.explains) == ("target", "said")
            assert (targets.slug, said.slug) == (method, f"{method}-said")
            assert (targets.prompt_count, said.prompt_count) == (3, 2)
            assert run_beside(session, targets) is said
            names = select(Prompt.external_id).join(Result).where(Result.run_id == said.id)
            assert set(session.scalars(names)) == {"one", "three"}
        assert [run.slug for run in list_runs(session)] == ["trackstar", "bm25"]
        for asked, shown in (("said", "trackstar-said"), ("target", "trackstar")):
            run = get_run(session, "trackstar")
            example = get_example(session, run, "one", "proponent", limit=3, explains=asked)
            assert (example.run.slug, example.listed.slug, example.both) == (shown, "trackstar", True)
        alone = get_example(session, run, "two", "proponent", limit=3)
        assert (alone.run.slug, alone.both) == ("trackstar", False)
        remove_run(session, "trackstar", "test")
        assert session.scalar(select(Run.id).where(Run.slug == "trackstar-said")) is None


def test_a_model_that_says_the_targets_has_nothing_beside_them(store: Store, database_url: str) -> None:
    prepared(store, database_url)
    with store.session() as session:
        task = task_of(session, database_url)
        ensure_answers(session, task, explains="said")
        for prompt in task.prompts:
            prompt.target = str(session.scalar(select(Output.answer).where(Output.prompt_id == prompt.id)))
        session.flush()
        (alone,) = explain(session, task, "random", "both", slug="random", k=3)
        assert alone.explains == "target"
        assert run_beside(session, alone) is None


def wrong_and_right(session: Session, url: str) -> tuple[RunInputs, Prompt, Prompt]:
    """The inputs, a prompt that is answered wrong, and one that is right by another name than its target."""
    task = task_of(session, url)
    ensure_answers(session, task, explains="said")
    one, two = (next(each for each in task.prompts if each.external_id == name) for name in ("one", "two"))
    output = session.scalars(select(Output).where(Output.prompt_id == two.id)).one()
    output.correct = True
    session.flush()
    return task, one, two


@pytest.mark.parametrize("method", ["trackstar", "+V", "trackstar+ekfac"])
def test_a_mistake_is_ranked_by_why_this_and_not_the_truth(
    store: Store, database_url: str, method: str
) -> None:
    """The page said “rather than”, and its passages were those of what was said alone."""
    prepared(store, database_url)
    with store.session() as session:
        task, one, two = wrong_and_right(session, database_url)
        asked = explaining(session, task, "said")
        assert asked.contrasts[one.id] == Query(one.text, " Bamako")
        assert two.id not in asked.contrasts, (
            "right by another name: there is nothing that it is wrong against"
        )
        run = retrieve(session, asked, method, slug="said", k=4)
        plain = retrieve(session, alone(asked), method, slug="plain", k=4)
        assert (run.configuration["contrast"], "contrast" in plain.configuration) == ("truth", False)
        told = {slug: lists(session, slug) for slug in ("said", "plain")}
        assert told["said"]["one"][0] == " Bamako"
        assert told["plain"]["one"][0] is None
        assert told["said"]["one"][1] != pytest.approx(told["plain"]["one"][1], rel=1e-3)
        assert told["said"]["two"][0] is None
        assert told["said"]["two"][1] == pytest.approx(told["plain"]["two"][1], rel=1e-3, abs=1e-6)
        if method == "trackstar":
            encoder = task.index.encoder(task.loaded)
            vector = encoder.encode_against([asked.queries[0]], [asked.others[0]])[0]
            rows = task.index.take(np.arange(task.index.manifest.passages))
            best = np.sort(rows @ vector)[::-1][:4]
            assert told["said"]["one"][1] == pytest.approx(best.tolist(), abs=2e-3)
            # What a run was asked is asked again where its figures are made later.
            for slug, kept in (("said", {one.id}), ("plain", set())):
                again = inputs_of(session, settings_of(made_home(), database_url), get_run(session, slug))
                assert set(again.contrasts) & {one.id, two.id} == kept


def lists(session: Session, slug: str) -> dict[str, tuple[str | None, list[float]]]:
    """By prompt what the run was asked against, and the scores of its proponents."""
    run = get_run(session, slug)
    rows = session.execute(
        select(Prompt.external_id, Result.contrast, Retrieved.score)
        .join(Result, Result.prompt_id == Prompt.id)
        .join(Retrieved, Retrieved.result_id == Result.id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent")
        .order_by(Result.position, Retrieved.rank)
    ).all()
    return {name: (against, [score or 0.0 for n, _, score in rows if n == name]) for name, against, _ in rows}


def test_words_are_searched_for_as_they_were_said(store: Store, database_url: str) -> None:
    """BM25 cannot tell what speaks against the truth: its run explains what was said by itself, and is no error."""
    prepared(store, database_url)
    with store.session() as session:
        task, _, _ = wrong_and_right(session, database_url)
        run = retrieve(session, explaining(session, task, "said"), "bm25", slug="words", k=3)
        assert "contrast" not in run.configuration
        assert {against for against, _ in lists(session, "words").values()} == {None}
