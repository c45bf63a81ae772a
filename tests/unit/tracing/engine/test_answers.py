"""What the worker computes: the same alone and in company, and the same as the batch path."""

from typing import Any

import numpy as np
import pytest

from app.models.text import Query
from app.retrieval.search import open_search
from app.settings import Settings
from app.store.engine import Store
from app.tracing.questions import Question
from app.tracing.trace_results import TraceResult
from app.tracing.worker import Worker
from app.trackstar.encode import Encoder
from app.trackstar.index import open_index
from tests.support.asking import passages
from tests.support.questions import QUESTIONS, _texts, got, put, result


def alike(a: TraceResult, b: TraceResult) -> None:
    """Equal but for float rounding, and for how long it took in whose company."""
    for one, other in zip(_rankings(a), _rankings(b), strict=True):
        assert [hit.passage_id for hit in one] == [hit.passage_id for hit in other]
        assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], rel=1e-4, abs=1e-5)
    assert a.completion.text == b.completion.text
    assert a.completion.probability == pytest.approx(b.completion.probability, rel=1e-4)
    plain = {"completion", "contrast", "rankings", "sides", "provenance"}
    assert a.model_dump(exclude=plain) == b.model_dump(exclude=plain)


def _rankings(found: TraceResult) -> list[Any]:
    every = [*found.rankings.values(), *found.sides]
    return [side for ranking in every for side in (ranking.proponents, ranking.opponents)]


@pytest.mark.slow
def test_answers_are_the_same_alone_and_in_company(worker: Worker, store: Store, settings: Settings) -> None:
    """Micro-batching must never show: a permalink would otherwise depend on who else was asking."""
    alone = []
    for question in QUESTIONS:
        alone.append(put(store, settings, question))
        assert worker.step() == 1
    together = [put(store, settings, question) for question in QUESTIONS]
    assert worker.step() == len(QUESTIONS)
    for one, other in zip(alone, together, strict=True):
        alike(result(store, one), result(store, other))
    assert result(store, together[0]).provenance.answered_together == len(QUESTIONS)


def test_a_prompt_that_only_the_worker_finds_too_long_is_its_own_outcome(
    worker: Worker, store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A tokenizer may allow less than the model's configuration, which is all that is looked at before queueing."""
    good = put(store, settings, QUESTIONS[1])
    long = put(store, settings, Question(prompt="The currency of Ghana is the " * 40), context=None)
    assert worker.step() == 2
    assert result(store, good).provenance.answered_together == 2
    error = got(store, long).error or {}
    assert (error["field"], error["remedy"]) == ("prompt", "Shorten it.")
    assert "the model reads 96, its answer included" in error["message"]
    assert not caplog.records


def test_an_answer_is_that_of_the_batch_path(
    worker: Worker, store: Store, settings: Settings, encoder: Encoder
) -> None:
    """`startrail retrieve` encodes and searches by itself; a trace of the same question must agree with it."""
    id_ = put(
        store, settings, Question(prompt="The currency of Ghana is the", completion="cedi", opponents=True)
    )
    worker.step()
    ranking = result(store, id_).rankings["trackstar"]
    search = open_search(open_index(settings.indexes / "demo"))
    encoded = encoder.encode_queries([Query("The currency of Ghana is the", "cedi")])
    for hits, opponents in ((ranking.proponents, False), (ranking.opponents, True)):
        scores, rows = search.search(encoded, 10, opponents=opponents)
        assert [hit.score for hit in hits] == pytest.approx(scores[0].tolist(), rel=1e-4)
        assert _texts(store, [hit.passage_id for hit in hits]) == [passages()[row][1] for row in rows[0]]


def test_a_contrast_ranks_by_the_gradient_of_the_difference(
    worker: Worker, store: Store, settings: Settings, encoder: Encoder
) -> None:
    """p(A) - p(B), not the difference of two unit vectors; and each side alone beside it."""
    id_ = put(store, settings, Question(prompt="The capital is", completion="Paris", contrast="Rome"))
    worker.step()
    found = result(store, id_)
    search = open_search(open_index(settings.indexes / "demo"))
    sides = [encoder.encode_queries([Query("The capital is", text)])[0] for text in ("Paris", "Rome")]
    paris, rome = (Query("The capital is", text) for text in ("Paris", "Rome"))
    wanted = [encoder.encode_against([paris], [rome])[0], *sides]
    for ranking, vector in zip([found.rankings["trackstar"], *found.sides], wanted, strict=True):
        scores, _ = search.search(np.asarray(vector)[None], 10)
        assert [hit.score for hit in ranking.proponents] == pytest.approx(
            scores[0].tolist(), rel=1e-3, abs=1e-5
        )
    assert found.contrast is not None
    assert found.contrast.text == "Rome"


def test_a_span_explains_its_tokens_only(
    worker: Worker, store: Store, settings: Settings, encoder: Encoder
) -> None:
    id_ = put(store, settings, Question(prompt="In Ghana", completion="the cedi is used", span=(4, 8)))
    worker.step()
    found = result(store, id_)
    search = open_search(open_index(settings.indexes / "demo"))
    scores, _ = search.search(encoder.encode_queries([Query("In Ghana", "the cedi is used", (4, 8))]), 10)
    assert [hit.score for hit in found.rankings["trackstar"].proponents] == pytest.approx(
        scores[0].tolist(), rel=1e-4
    )
    touched = [token for token in found.completion.tokens if token.start < 8 and token.end > 4]
    assert found.completion.probability == pytest.approx(
        np.prod([token.probability for token in touched]), rel=1e-4
    )
    assert "".join(token.text for token in found.completion.tokens).replace(" ", "") == "thecediisused"


def test_verbatim_stretches_stand_in_the_passages_they_name(
    worker: Worker, store: Store, settings: Settings
) -> None:
    words = passages()[5][1].split()
    id_ = put(store, settings, Question(prompt=" ".join(words[:4]), completion=" " + " ".join(words[4:])))
    worker.step()
    found = result(store, id_)
    assert found.verbatim
    for match in found.verbatim:
        stretch = found.joined[match.start : match.end].casefold()
        assert all(stretch in text.casefold() for text in _texts(store, match.passage_ids))
