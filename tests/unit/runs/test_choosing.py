"""A model is asked to choose: the likeliest choice is its answer, by one rule or the other, and a run may explain it
against the next."""

import math

import numpy as np
import pytest
from sqlalchemy import select

from app.errors import UserError
from app.models.text import Query
from app.runs.answers import ensure_answers
from app.runs.inputs import RunInputs, answered, contrasting, explaining, open_inputs
from app.runs.retrieve import retrieve
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Prompt, Result, Retrieved
from app.tracing.probabilities import completions
from app.words.choices import TOKEN, TOTAL, read_weighed
from tests.support.asking import made_home, put_corpus, settings_of

ENDINGS = ["sang, and slept.", "slept.", "wanted to sing all night long, said the owl."]


def asked(session, url: str) -> RunInputs:  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
    return open_inputs(session, settings_of(made_home(), url), "demo", "asked")


def prepared(store: Store) -> None:
    put_corpus(store)
    with store.session() as session:
        records = [
            PromptRecord("owl", "The owl", ENDINGS[0], choices=ENDINGS, label=0, task="commonsense"),
            PromptRecord(
                "crow", "The crow", "flew.", choices=["flew.", "swam."], label=0, task="commonsense"
            ),
            PromptRecord("blank", "The jay", "flew.", choices=["flew.", ""], label=0),
            PromptRecord("plain", "The capital of Mali is", "Bamako"),
        ]
        add_prompts(session, "asked", records, corpus=get_corpus(session, "demo"))


def test_the_likeliest_choice_is_the_answer(store: Store, database_url: str) -> None:
    """Each choice weighs what the model gives it token by token; what is written freely is asked as ever beside it."""
    prepared(store)
    with store.session() as session:
        inputs = asked(session, database_url)
        assert [prompt.external_id for prompt in inputs.prompts] == ["owl", "crow", "plain"]
        assert "blank" in inputs.left_out, "a choice of nothing cannot be weighed"
        ensure_answers(session, inputs)
        outputs = answered(session, inputs)
        owl, _, plain = inputs.prompts
        output = outputs[owl.id]
        weighed = read_weighed(output.weighed)
        assert weighed is not None
        alone = completions(inputs.loaded, [Query("The owl", f" {ending}") for ending in ENDINGS])
        assert weighed.by == TOTAL
        assert [math.exp(log) for log in weighed.logs] == pytest.approx([each.probability for each in alone])
        assert list(weighed.tokens) == [len(each.tokens) for each in alone]
        best = max(range(3), key=lambda at: alone[at].probability)
        assert (output.answer, output.correct) == (ENDINGS[best], best == 0)
        assert output.said == f" {ENDINGS[best]}"
        assert output.said_tokens == [token.id for token in alone[best].tokens]
        assert output.said_probability == pytest.approx(alone[best].probability)
        assert output.probability == pytest.approx(alone[0].probability), "of the target, as everywhere"
        assert output.samples == []
        assert outputs[plain.id].weighed is None
        assert outputs[plain.id].samples


def test_the_other_rule_judges_again_without_asking_again(store: Store, database_url: str) -> None:
    prepared(store)
    with store.session() as session:
        inputs = asked(session, database_url)
        ensure_answers(session, inputs)
        before = {id_: read_weighed(output.weighed) for id_, output in answered(session, inputs).items()}
        session.expire_all()
        ensure_answers(session, inputs, by=TOKEN)
        owl = inputs.prompts[0]
        output = answered(session, inputs)[owl.id]
        now, then = read_weighed(output.weighed), before[owl.id]
        assert now is not None
        assert then is not None
        assert (now.by, now.logs) == (TOKEN, then.logs)
        per_token = [log / n for log, n in zip(then.logs, then.tokens, strict=True)]
        best = int(np.argmax(per_token))
        assert (output.answer, output.correct) == (ENDINGS[best], best == 0)
        assert answered(session, inputs)[inputs.prompts[2].id].samples, "what was written stays"
        ensure_answers(session, inputs)
        session.expire_all()
        again = read_weighed(answered(session, inputs)[owl.id].weighed)
        assert again is not None
        assert again.by == TOKEN, "without a rule they stay as they were judged"
        with pytest.raises(UserError, match="no rule to choose by"):
            ensure_answers(session, inputs, by="luck")


@pytest.mark.parametrize("explains", ["said", "target"])
def test_a_contrast_is_of_the_one_explained_and_the_likeliest_other(
    store: Store, database_url: str, explains: str
) -> None:
    """p(chosen) − p(best other), each as a whole and not its first clause; scores are those of that gradient."""
    prepared(store)
    with store.session() as session:
        inputs = asked(session, database_url)
        ensure_answers(session, inputs)
        inputs = contrasting(session, explaining(session, inputs, explains))
        owl = inputs.prompts[0]
        weighed = read_weighed(answered(session, inputs)[owl.id].weighed)
        assert weighed is not None
        own = weighed.chosen if explains == "said" else 0
        other = max((at for at in range(3) if at != own), key=lambda at: weighed.logs[at])
        assert inputs.queries[0].completion == f" {ENDINGS[own]}"
        assert inputs.queries[0].span is None
        assert inputs.others[0] == Query("The owl", f" {ENDINGS[other]}")
        # A prompt without choices is asked as ever: what was said wrong, rather than the truth.
        plain = Query("The capital of Mali is", " Bamako") if explains == "said" else None
        assert inputs.others[2] == plain
        run = retrieve(session, inputs, "trackstar", slug="against", k=4)
        assert run.configuration["contrast"] == "choices"
        results = dict(
            session.execute(
                select(Prompt.external_id, Result.contrast).join(Prompt).where(Result.run_id == run.id)
            ).all()
        )
        assert results["owl"] == f" {ENDINGS[other]}"
        assert results["plain"] == (plain and plain.completion)
        encoder = inputs.index.encoder(inputs.loaded)
        pair = encoder.gradients(
            [inputs.loaded.texts.query(each) for each in (inputs.queries[0], inputs.others[0])]
        )
        ratio = math.exp(weighed.logs[other] - weighed.logs[own])
        vector = encoder.finish(pair[:1] - ratio * pair[1:])[0]
        rows = inputs.index.take(np.arange(inputs.index.manifest.passages))
        scores = session.scalars(
            select(Retrieved.score)
            .join(Result)
            .where(Result.run_id == run.id, Result.prompt_id == owl.id, Retrieved.side == "proponent")
            .order_by(Retrieved.rank)
        ).all()
        assert scores == pytest.approx(np.sort(rows @ vector)[::-1][:4].tolist(), abs=2e-3)


def test_words_know_no_contrast(store: Store, database_url: str) -> None:
    prepared(store)
    with store.session() as session:
        inputs = asked(session, database_url)
        with pytest.raises(UserError, match="has choices to contrast"):
            contrasting(session, inputs)
        ensure_answers(session, inputs)
        inputs = contrasting(session, inputs)
        with pytest.raises(UserError, match="BM25 does not tell"):
            retrieve(session, inputs, "bm25", slug="words")
