"""What the OpenAPI document says is what is answered: schemathesis asks for everything that it allows, and for what it does not.

`make promises` asks each operation many times, at every limit, and in each kind of access.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.store import tokens
from app.store.engine import open_store
from app.store.readers import SCOPES
from app.web.site import openapi
from tests.support.asking import made_home
from tests.support.hostile import answered_trace
from tests.support.promises import keep
from tests.support.routes import Values
from tests.support.sites import site
from tests.support.vault import Vault, fill_vault

LONG = int(os.environ.get("STARTRAIL_PROMISES", "0"))
MODES = [
    ("open", False),
    *([("open", True), ("read", False), ("read", True), ("private", True)] if LONG else []),
]
ASKED = ("model", "index", "questions[*].model", "questions[*].index")


@dataclass(frozen=True)
class Made:
    """A database with public and hidden things in it, and what stands in the addresses of each."""

    url: str
    vault: Vault
    trace: str
    token: str

    def known(self, batch: str) -> Values:
        """What there is, by place and name of the parameter."""
        return {
            "path.slug": ["trackstar", "capital-china", "vault"], "path.prompt": ["capital-china", "attack"],
            "path.run": ["trackstar", "hostile"], "path.id": ["1", "2"], "path.trace_id": [self.trace, *self.vault.traces],
            "path.kind": ["words-mislead"], "path.name": ["demo", "demo-4m"], "path.batch_id": [batch],
            "query.run": ["trackstar", "bm25", "hostile"], "query.runs": ["trackstar", "bm25"], "query.from": [self.trace],
            "query.task": ["fact", "commonsense"],
        }  # fmt: skip


@pytest.fixture
def made(filled_sqlite: Path, tmp_path: Path) -> Made:
    shutil.copy(filled_sqlite, tmp_path / "startrail.db")
    url = f"sqlite:///{tmp_path / 'startrail.db'}"
    store = open_store(url)
    with store.session() as session:
        made = Made(
            url,
            fill_vault(session),
            answered_trace(session, 1, "of France", 1),
            tokens.add(session, "everything", SCOPES, expires_at=None),
        )
    store.engine.dispose()
    return made


@pytest.mark.slow
@pytest.mark.parametrize(("access", "signed_in"), MODES)
def test_every_answer_is_one_that_the_document_promises(made: Made, access: str, signed_in: bool) -> None:
    """No fault of ours, no status or header that is not documented, nothing outside its schema, nothing refused that the
    document allows or taken that it forbids, no method beside those named, and nobody let in without a token who needs one."""
    shared: dict[str, Any] = {"upload_enabled": True, "trace_queue_limit": 10**6}
    with site(made.url, made_home(), **shared) as client:
        questions = {"questions": [{"prompt": "The capital of Mali is"}]}
        batch = client.post("/api/v1/batches", json=questions).json()["id"]
    with site(made.url, made_home(), access=access, **shared) as client:
        kept = keep(
            client.app,  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
            made.known(batch),
            LONG or 3,
            always={f"body.{name}": ["", "demo"] for name in ASKED},
            token=made.token if signed_in else "",
        )
        client.app.state.imports.close()  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
    assert not kept.broken, "\n\n".join(f"{name}: {problem}" for name, problem in kept.broken.items())
    assert kept.answers[200] > 50


def operations(client: TestClient) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of the document."""
    for path, said in client.get("/openapi.json").json()["paths"].items():
        for method, operation in said.items():
            yield method.upper(), path, operation


def test_a_method_that_is_not_there_is_told_so(client: TestClient) -> None:
    """It was 401, “changing what is here needs a sign-in”: a token would not have helped. `Allow` names every route's."""
    known = [(method, path) for method, path, _ in operations(client)]
    for method, path in known:
        for other in {"PUT", "DELETE", "PATCH", "POST"} - {each for each, there in known if there == path}:
            answer = client.request(other, path)
            assert answer.status_code == 405, (other, path)
            assert method in answer.headers["allow"].split(", ")
            assert other not in answer.headers["allow"].split(", ")
    answer = client.put("/upload")  # a page and a form, by two routes
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert client.put("/nothing/is/here").status_code == 401


@pytest.mark.parametrize(
    ("access", "free"), [("open", {"read", "ask"}), ("read", {"read"}), ("private", set())]
)
def test_the_document_says_who_needs_a_token(
    filled_sqlite: Path, tmp_path: Path, access: str, free: set[str]
) -> None:
    """By what this very site lets everybody do."""
    shutil.copy(filled_sqlite, tmp_path / "startrail.db")
    with site(f"sqlite:///{tmp_path / 'startrail.db'}", tmp_path, access=access) as client:
        document = openapi.document(client.app)  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
        needs = {
            f"{method.upper()} {path}": {} not in operation["security"]
            for path, said in document["paths"].items()
            for method, operation in said.items()
        }
    assert needs["GET /api/v1/runs"] == ("read" not in free)
    assert needs["POST /api/v1/traces"] == ("ask" not in free)
    assert needs["GET /api/v1/admin"]
    assert not needs["GET /api/v1/healthz"]


def test_what_the_document_gives_as_an_example_is_taken(made: Made) -> None:
    """Copied as it stands, by whoever tries the API first."""
    with site(made.url, made_home()) as client:
        for method, path, operation in operations(client):
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schema = content["schema"]
                for example in schema.get("examples", []):
                    answer = client.request(method, path.format(trace_id=made.trace), json=example)
                    # This home has no small model to train without passages, and its model no template for chats.
                    lacks = 409 if path.endswith("/without") else 422 if "messages" in example else 200
                    taken = (200, 202, lacks)
                    assert answer.status_code in taken, (path, example, answer.text)
