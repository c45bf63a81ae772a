"""Somebody sets the clock: no question is lost, no worker ends, and nobody is refused."""

import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.store import base
from app.store.engine import Store
from app.store.work_tables import Job
from app.tracing.clock import Clock
from app.tracing.worker import Outcome, Report
from tests.support.asking import made_home, put_corpus, settings_of, worker_of
from tests.support.sites import site, store_of

pytestmark = pytest.mark.slow
HOUR = timedelta(hours=1)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """A way to set it, for everything that reads the store's clock."""
    real, ahead = base.now, [timedelta()]

    def other() -> datetime:
        return datetime.now(UTC) + ahead[0]

    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is real:
            monkeypatch.setattr(module, "now", other)

    def put(by: timedelta) -> None:
        ahead[0] = by

    return put


def test_an_hour_forth_an_hour_back_and_right_again(
    store: Store, database_url: str, set_clock: Callable[[timedelta], None]
) -> None:
    """Each time with a question in hand: one worker ended itself (exit 70), and one question failed for its deadline."""
    put_corpus(store)
    home, gave_up = made_home(), list[bool]()
    taken, leapt = threading.Event(), threading.Event()
    with worker_of(settings_of(home, database_url), store) as worker, site(database_url, home) as client:
        worker.clock, worker.hung = Clock(says=lambda: base.now()), lambda: gave_up.append(True)
        answer = worker.engine.answer

        def slowly(jobs: Sequence[Job], report: Report) -> list[Outcome]:
            taken.set()
            assert leapt.wait(30)
            leapt.clear()
            return answer(jobs, report)

        worker.engine.answer = slowly  # type: ignore[method-assign]  # the clock is set while it answers
        for number, by in enumerate((HOUR, -HOUR, timedelta())):
            asked = client.post("/api/traces", json={"prompt": f"At {number} o'clock", "k": 5})
            assert asked.status_code == 202
            working = threading.Thread(target=worker.step)
            working.start()
            assert taken.wait(30)
            taken.clear()
            set_clock(by)
            for _ in range(2):  # as the heart does at every sign of life
                worker._beat()
                worker._recover()
            leapt.set()
            working.join(60)
            found = client.get(f"/traces/{asked.json()['id']}.json").json()
            assert (found["status"], found["attempts"]) == ("done", 1)
            ready = client.get("/readyz.json").json()["checks"]
            assert next(each["ok"] for each in ready if each["name"] == "worker")
        store_of(client).engine.dispose()
    assert gave_up == []
