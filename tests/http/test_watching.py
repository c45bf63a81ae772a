"""Whoever keeps the site sees how it does; whoever reads it sees no path, no host and no name."""

import json
import logging

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.logs import JsonLines
from app.store import tokens
from app.store.engine import Store
from app.store.work_tables import Job
from app.tracing.worker import Worker


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_requests_queue_and_workers_are_measured(
    asked: tuple[TestClient, Worker], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    client, worker = asked
    caplog.set_level(logging.INFO)
    id_ = client.post("/api/traces", json={"prompt": "Ghana"}).json()["id"]
    client.get("/runs/nowhere")
    with store.session() as session:
        secret = tokens.add(session, "prometheus", ["metrics"], expires_at=None)
    head = {"Authorization": f"Bearer {secret}"}
    assert client.get("/metrics").status_code == 401

    def measured() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(client.get("/metrics", headers=head).text)
        return {
            (each.name, *sorted(each.labels.values())): each.value
            for found in families
            for each in found.samples
        }

    before = measured()
    assert before["startrail_jobs", "queued", "trace"] == 1
    assert before["startrail_requests_total", "/runs/{slug}", "404", "GET"] == 1 or any(
        key[0] == "startrail_requests_total" and "404" in key for key in before
    )
    assert before["startrail_disk_free_bytes",] > 0
    worker.step()
    after = measured()
    assert ("startrail_jobs", "queued", "trace") not in after
    assert after["startrail_jobs_last_hour", "done", "trace"] == 1
    page = client.get("/status.json").json()
    assert page["work"][0]["done"] == 1
    assert page["requests"] > 3
    assert worker.name not in json.dumps(page)
    answered = next(each for each in caplog.records if getattr(each, "job", "") == id_)
    with store.session() as session:
        assert session.get_one(Job, id_).request_id == answered.__dict__["request"]
    line = json.loads(JsonLines().format(answered))
    assert (line["job"], line["request"], line["level"]) == (id_, answered.__dict__["request"], "info")
    assert any(
        each.__dict__.get("request") == line["request"]
        for each in caplog.records
        if each.name == "startrail.access"
    )
