"""What every route has without a word of its own: another site's page is refused, HEAD answers, headers stand."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.errors import UserError
from app.web.site import patience
from app.web.site.guard import FOR_OTHER_SITES, SAFE
from tests.support.asking import made_home
from tests.support.routes import filled, routes
from tests.support.sites import site

ELSEWHERE = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},  # browsers on plain http do not send Sec-Fetch-Site
    {"Origin": "https://testserver:8443"},
    {"Origin": "null"},
)
OWN: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Origin": "http://testserver"},
    {},
)
ANY = {
    "slug": ["trackstar"], "run": ["trackstar"], "prompt": ["capital-china"], "id": ["1"], "trace_id": ["2" * 12],
    "batch_id": ["2" * 12],
    "id_": ["0" * 16], "name": ["demo"], "/finds/{kind}:kind": ["known-from-one"],
    "kind": ["bib"], "/compare/{slug}:slug": ["capital-china"],
}  # fmt: skip
ALSO = {
    "/compare/{slug}": "?runs=trackstar,bm25", "/compare/{slug}.json": "?runs=trackstar,bm25",
    "/go": "?run=trackstar&n=1", "/evaluation/prompts": "?run=trackstar&measure=mrr",
    "/evaluation/prompts.json": "?run=trackstar&measure=mrr", "/evaluation/prompts.csv": "?run=trackstar&measure=mrr",
}  # fmt: skip


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[TestClient]:
    """A site that can be asked."""
    shutil.copytree(made_home(), tmp_path / "home")
    with site(f"sqlite:///{tmp_path / 'home' / 'startrail.db'}", tmp_path / "home") as client:
        yield client


def unsafe(client: TestClient) -> list[tuple[str, str]]:
    found = routes(client.app, "POST", "PUT", "PATCH", "DELETE")  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
    assert len(found) >= 9
    return found


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_no_route_changes_anything_for_a_page_of_another_site(
    client: TestClient, headers: dict[str, str]
) -> None:
    """The forms were guarded one by one and the API forgotten: another site could ask and cancel there."""
    for method, path in unsafe(client):
        for address in filled(path, ANY):
            answer = client.request(method, address, headers=headers, content="{}")
            assert (answer.status_code == 403) == (path not in FOR_OTHER_SITES), (method, address)
            assert "content-security-policy" in answer.headers
    assert not client.get("/trace.json").json()["recent"]


@pytest.mark.parametrize("headers", OWN)
def test_own_pages_and_scripts_may_send(client: TestClient, headers: dict[str, str]) -> None:
    for method, path in unsafe(client):
        for address in filled(path, ANY):
            assert client.request(method, address, headers=headers, content="{}").status_code != 403


def test_another_site_neither_asks_nor_cancels(asking: TestClient) -> None:
    """The same as the reader's own browser would send it: a form, or text that needs no permission of ours."""
    evil, body = ELSEWHERE[0], '{"prompt": "The capital of Mali is the city"}'
    assert (
        asking.post("/api/traces", content=body, headers={**evil, "Content-Type": "text/plain"}).status_code
        == 403
    )
    id_ = asking.post("/api/traces", content=body).json()["id"]
    for address in (f"/traces/{id_}/cancel", f"/api/traces/{id_}/cancel"):
        assert asking.post(address, headers=evil).status_code == 403
    assert asking.get(f"/api/traces/{id_}").json()["status"] == "queued"
    assert asking.post(f"/api/traces/{id_}/cancel").json()["status"] == "cancelled"


@pytest.mark.slow
def test_head_answers_what_get_answers_without_the_body(client: TestClient) -> None:
    """Link checkers, monitors and `curl -I` ask so; every page said 405. Streams are not run to their end for it."""
    assert "HEAD" in SAFE
    for _, path in [*routes(client.app, "GET"), ("GET", "/static/app.js"), ("GET", "/nowhere")]:  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
        if path in ("/random", "/random.json") or "status" in path:  # measured anew each time
            continue
        address = next(filled(path, ANY)) + ALSO.get(path, "")
        for accepted in ("gzip", "identity"):
            asked = {"Accept-Encoding": accepted}
            got = client.get(address, headers=asked, follow_redirects=False)
            head = client.head(address, headers=asked, follow_redirects=False)
            assert head.status_code == got.status_code, address
            assert head.content == b""
            same = [{**answer.headers, "x-request-id": ""} for answer in (head, got)]  # each has its own
            assert same[0] == same[1], address


@pytest.mark.slow
def test_no_page_that_did_not_change_is_sent_again(client: TestClient) -> None:
    """One rule for pages, twins, files, cards and citations."""
    for _, path in routes(client.app, "GET"):  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
        address = next(filled(path, ANY)) + ALSO.get(path, "")
        answer = client.get(address, follow_redirects=False)
        if (
            answer.status_code != 200 or path == "/openapi.json" or "status" in path
        ):  # measured anew each time
            continue
        assert "etag" in answer.headers, address
        again = client.get(address, headers={"If-None-Match": f'"other", {answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b""), address
        assert again.headers["etag"] == answer.headers["etag"]


def _same(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without the one that is each request's own."""
    return {name: value for name, value in headers.items() if name != "x-request-id"}


def test_headers_and_addresses_are_bounded(client: TestClient) -> None:
    assert client.get("/about", headers={"X-Long": "a" * 40_000}).status_code == 431
    assert client.get("/about?x=" + "a" * 40_000).status_code == 414
    assert client.get("/about", headers={"X-Long": "a" * 20_000}).status_code == 200


async def _silent() -> Message:
    await asyncio.sleep(3600)
    raise AssertionError


def test_who_stops_in_the_middle_of_a_body_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that says nothing more held its place until it left."""
    monkeypatch.setattr(patience, "BETWEEN", 0.05)

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    with pytest.raises(UserError) as refused:
        asyncio.run(patience.Patience(reading)({"type": "http"}, _silent, None))  # type: ignore[arg-type]  # no send is needed: nothing is answered
    assert refused.value.status == 408


def test_only_documents_carry_what_a_browser_asks_of_documents(client: TestClient) -> None:
    """On each of a dozen parts of a first visit, the policy weighed as much as a small style sheet. A drawing is a document
    as soon as somebody opens it alone."""
    for name, document in (("app.css", 0), ("app.js", 0), ("fonts/serif.woff2", 0), ("star.svg", 1)):
        headers = client.get(f"/static/{name}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert ("content-security-policy" in headers) == bool(document), name
