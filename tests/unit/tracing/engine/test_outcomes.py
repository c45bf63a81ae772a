"""What becomes of work: only what is wanted is done, and what breaks or stops harms no other."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import event

from app.models.load import LoadedModel
from app.models.steps import TailPatch
from app.models.text import Query
from app.settings import Settings
from app.store import jobs, traces
from app.store.engine import Store, open_store
from app.store.work_tables import Job
from app.tracing import asking
from app.tracing.questions import Question, StepRequest
from app.tracing.trace_engine import TraceEngine
from app.tracing.trace_results import TrainingResult
from app.tracing.worker import Cancelled, Outcome, Report, Worker
from tests.support.asking import made_home, settings_of, worker_of
from tests.support.questions import QUESTIONS, _texts, got, put, result


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
    with open_store(settings.url) as store:
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
    with open_store(settings.url) as store, worker_of(settings, store):
        event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
        store.engine.dispose()
    assert "a database that cannot be written to" in caplog.text
