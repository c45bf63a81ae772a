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
from app.runs.inputs import ensure_answers, explaining
from app.runs.retrieve import retrieve
from app.store.engine import Store
from app.store.tables import Output, Prompt, Result, Retrieved
from app.words.answers import answer_end
from tests.support.asking import made_home
from tests.support.sites import site, store_of
from tests.unit.runs.test_retrieve import prepared, task_of


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
        run = retrieve(session, own, "trackstar", slug="said", k=5)
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
        store_of(client).engine.dispose()
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
        explaining(session, task_of(session, database_url), "both")
