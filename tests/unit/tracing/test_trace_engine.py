"""What the worker computes: the same alone and in company, the same as the batch path, and only what is wanted."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from app.models.load import LoadedModel, load_model
from app.models.steps import TailPatch
from app.models.text import Query
from app.retrieval.search import open_search
from app.settings import Settings
from app.store import jobs, traces
from app.store.engine import Store, open_store
from app.store.work_tables import Job
from app.tracing import asking
from app.tracing.catalog import choose
from app.tracing.questions import Question, StepRequest
from app.tracing.trace_engine import TraceEngine
from app.tracing.trace_results import TraceResult, TrainingResult
from app.tracing.worker import Cancelled, Outcome, Report, Worker
from app.trackstar.encode import Encoder
from app.trackstar.index import open_index
from tests.support.asking import made_home, passages, settings_of, worker_of

QUESTIONS = [
    Question(prompt="The currency of Ghana is the", completion="cedi"),
    Question(prompt="The currency of Ghana is the"),
    Question(prompt="Two and two are", completion="four, said Ada, and so are one and three", k=4),
    Question(prompt="The capital of Iceland is", completion="Reykjavik", contrast="the cedi of Ghana"),
    Question(
        prompt="The capital of Iceland is", completion="Reykjavik, said Teo", span=(0, 9), opponents=True
    ),
    Question(prompt="The", samples=3, opponents=True, k=2),
    Question(
        prompt="A long prompt of many words, each of them known to somebody, goes on and on to",
        completion="x",
    ),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the home: its store is written to."""
    home = tmp_path_factory.mktemp("asked") / "home"
    shutil.copytree(made_home(), home)
    return settings_of(home)


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[Store]:
    """One SQLite store for the whole file: every test asks questions of its own."""
    opened = open_store(settings.url)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def worker(settings: Settings, store: Store) -> Iterator[Worker]:
    with worker_of(settings, store) as made:
        yield made


@pytest.fixture(scope="module")
def model(settings: Settings) -> LoadedModel:
    return load_model(settings.models / "demo")


@pytest.fixture(scope="module")
def encoder(settings: Settings, model: LoadedModel) -> Encoder:
    return open_index(settings.indexes / "demo").encoder(model)


def put(store: Store, settings: Settings, question: Question, **changes: Any) -> str:
    """Queue a question as if nobody had asked it before; `changes` to what is known of model and index."""
    askable = replace(choose(settings), **changes)
    hashes = {"model": askable.model_sha256, "index": askable.index_sha256}
    request = asking.checked(question, askable).model_dump(mode="json") | {"sha256": hashes}
    with store.session() as session:
        return jobs.add(session, "trace", request, limit=1000).id


def got(store: Store, id_: str) -> Job:
    with store.session() as session:
        return jobs.find(session, id_)


def result(store: Store, id_: str) -> TraceResult:
    job = got(store, id_)
    assert job.state == "done", job.error
    with store.session() as session:
        trace = traces.get(session, id_)
        assert trace is not None
        return TraceResult.model_validate(trace.result)


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
    """log p(A) - log p(B), not the difference of two unit vectors; and each side alone beside it."""
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


def test_what_was_cancelled_meanwhile_is_dropped_and_the_others_go_on(
    store: Store, settings: Settings
) -> None:
    """The worker learns of it at the next stage; what it has computed by then must not be saved."""

    class Meddling(TraceEngine):
        """Somebody cancels the first question while it is encoded."""

        def answer(self, taken: Sequence[Job], report: Report) -> list[Outcome]:
            def meddle(
                taken: Sequence[Job], stage: str, done: int = 0, total: int | None = None
            ) -> list[bool]:
                if stage == "searching":
                    with store.session() as session:
                        jobs.cancel(session, taken[0].id)
                return report(taken, stage, done, total)

            outcomes = super().answer(taken, meddle)
            assert isinstance(outcomes[0], Cancelled)
            return outcomes

    ids = [put(store, settings, question) for question in QUESTIONS[:3]]
    own = Worker(store, Meddling(settings, store, device="cpu"))
    assert own.step() == 3
    assert [got(store, id_).state for id_ in ids] == ["cancelled", "done", "done"]
    with store.session() as session:
        assert traces.get(session, ids[0]) is None


def test_a_question_that_breaks_the_engine_breaks_no_other(store: Store, settings: Settings) -> None:
    """One bad question in a batch: each is tried alone, and only the bad one fails, with a reason."""

    class Brittle(TraceEngine):
        """Out of memory for one prompt."""

        def answer(self, taken: Sequence[Job], report: Report) -> list[Outcome]:
            if any(job.request["prompt"] == "Break" for job in taken):
                raise RuntimeError("out of memory")
            return super().answer(taken, report)

    ids = [
        put(store, settings, Question(prompt=prompt, completion="x")) for prompt in ("One", "Break", "Two")
    ]
    assert Worker(store, Brittle(settings, store, device="cpu")).step() == 3
    assert [got(store, id_).state for id_ in ids] == ["done", "failed", "done"]
    assert "out of memory" in (got(store, ids[1]).error or {})["message"]


def test_a_question_to_an_index_that_was_replaced_fails_with_a_reason(
    worker: Worker, store: Store, settings: Settings
) -> None:
    """Its answer would not be that of the index it was put to, whose hash its permalink shows."""
    id_ = put(store, settings, QUESTIONS[0])
    with store.session() as session:
        job = jobs.find(session, id_)
        job.request = job.request | {"sha256": job.request["sha256"] | {"index": "of another build"}}
    worker.step()
    assert "built again" in (got(store, id_).error or {})["message"]


def test_training_measures_each_passage_and_random_ones_beside(
    worker: Worker, store: Store, settings: Settings, model: LoadedModel
) -> None:
    """The numbers are those of the library's tail-patch; the control is drawn from the others, the same each time."""
    id_ = put(store, settings, Question(prompt="The currency of Ghana is the", completion="cedi", k=3))
    worker.step()
    shown = [hit.passage_id for hit in result(store, id_).rankings["trackstar"].proponents]
    with store.session() as session:
        asked = asking.train(session, settings, StepRequest(trace=id_, passages=tuple(shown), control=4))
    worker.step()
    measured = TrainingResult.model_validate(got(store, asked.job.id).result)
    assert [step.passage_id for step in measured.steps] == shown
    control = [step.passage_id for step in measured.control]
    assert len(set(control) - set(shown)) == 4
    patch = TailPatch(model)
    query = Query("The currency of Ghana is the", "cedi")
    wanted = patch.measure(query, _texts(store, [*shown, *control]))
    assert [step.change for step in (*measured.steps, *measured.control)] == pytest.approx(wanted, rel=1e-3)
    assert measured.settings == patch.settings
    with store.session() as session:
        assert asking.train(
            session, settings, StepRequest(trace=id_, passages=tuple(shown), control=4)
        ).reused


def test_training_leaves_the_model_as_it_was(worker: Worker, store: Store, settings: Settings) -> None:
    """The next question is answered by the same weights, bit for bit."""
    before = put(store, settings, QUESTIONS[0])
    worker.step()
    hits = result(store, before).rankings["trackstar"].proponents
    with store.session() as session:
        asking.train(session, settings, StepRequest(trace=before, passages=(hits[0].passage_id,), control=0))
    worker.step()
    after = put(store, settings, QUESTIONS[0])
    worker.step()
    assert result(store, before).rankings == result(store, after).rankings


def test_a_worker_without_its_model_says_so_and_stays_listed(tmp_path: Path, migrated_sqlite: Path) -> None:
    """The site shows the reason; nothing else would tell a reader why no question is answered."""
    from app.errors import UserError
    from app.store import workers

    settings = settings_of(tmp_path, f"sqlite:///{migrated_sqlite}")
    store = open_store(settings.url)
    failing = Worker(store, TraceEngine(settings, store, device="cpu"))
    with pytest.raises(UserError, match="no index"):
        failing.run()
    with store.session() as session:
        (listed,) = workers.alive(session)
        assert listed.status == "failed"
        assert "no index “demo”" in listed.detail
        workers.leave(session, listed.id)


def test_a_worker_stops_in_good_order_though_the_database_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk or somebody else's long write must not end in a traceback; its lease runs out by itself."""
    settings = settings_of(shutil.copytree(made_home(), tmp_path / "home"))
    store = open_store(settings.url)
    with worker_of(settings, store), store.engine.begin() as connection:
        connection.execute(text("DROP TABLE workers"))
    assert "Could not take leave" in caplog.text


def _texts(store: Store, ids: Sequence[int]) -> list[str]:
    from app.store.tables import Passage

    with store.session() as session:
        return [session.get_one(Passage, id_).text for id_ in ids]
