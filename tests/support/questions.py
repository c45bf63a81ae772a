"""Questions as the site queues them, and what became of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.settings import Settings
from app.store import jobs, traces
from app.store.engine import Store
from app.store.work_tables import Job
from app.tracing.catalog import choose
from app.tracing.checking import checked
from app.tracing.questions import Question
from app.tracing.trace_results import TraceResult

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


def put(store: Store, settings: Settings, question: Question, **changes: Any) -> str:
    """Queue a question as if nobody had asked it before; `changes` to what is known of model and index."""
    askable = replace(choose(settings), **changes)
    hashes = {"model": askable.model_sha256, "index": askable.index_sha256}
    request = checked(question, askable).model_dump(mode="json") | {"sha256": hashes}
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


def _texts(store: Store, ids: Sequence[int]) -> list[str]:
    from app.store.tables import Passage

    with store.session() as session:
        return [session.get_one(Passage, id_).text for id_ in ids]
