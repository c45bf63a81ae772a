"""The API's promise: every document has a schema, addresses lead to documents, and what is not known is said."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from app.web.site import urls
from tests.http.test_fuzz import VALUES
from tests.support.routes import filled

NO_DOCUMENTS = (
    "random_url",
    "go_url",
    "span_url",
    "ask_url",
    "events_url",
    "og_url",
)  # draws, forms, streams, what is shared


def documents(client: TestClient) -> list[str]:
    """Addresses of the API's documents, with something at each."""
    paths = client.get("/openapi.json").json()["paths"]
    values = {**VALUES, "name": ["c4"], "batch_id": ["2" * 12], "kind": ["words-mislead"]}
    return [
        next(filled(path, values))
        for path, said in paths.items()
        if "get" in said and path.startswith(urls.API) and not path.endswith((".csv", ".jsonl", ".parquet"))
    ]


def test_every_document_has_a_schema_a_readable_name_and_its_problems(client: TestClient) -> None:
    """26 of 30 had none, and names such as `runs_page_runs__slug__json_get`."""
    document = client.get("/openapi.json").json()
    paths, shared = document["paths"], document["components"]["responses"]
    names = []
    for path, said in paths.items():
        for verb, operation in said.items():
            names.append(operation["operationId"])
            answers = operation["responses"]
            good = [answers[code] for code in answers if code.startswith("2")]
            assert all(next(iter(each["content"].values()))["schema"] for each in good), (verb, path)
            wrong = {code: each for code, each in answers.items() if code >= "400"}
            assert {"401", "405", "422", "429"} <= wrong.keys(), path
            for code, each in wrong.items():
                if each.keys() == {"$ref"}:
                    assert list(shared[f"Problem{code}"]["content"]) == ["application/problem+json"]
                else:
                    assert (code, path) == ("503", "/api/v1/readyz")
    assert len(set(names)) == len(names)
    assert all(name.islower() and len(name) < 40 for name in names), names


def test_every_parameter_says_what_it_is(client: TestClient) -> None:
    """36 said nothing; what stands in a path has an example, for whoever tries the address in a browser."""
    for path, said in client.get("/openapi.json").json()["paths"].items():
        for operation in said.values():
            for each in operation.get("parameters", []):
                assert each["description"], (path, each["name"])
                assert "example" in each or not each["required"], (path, each["name"])


def test_a_document_its_twin_and_what_accept_asks_for_are_one(client: TestClient) -> None:
    api = client.get("/api/v1/runs/trackstar?task=fact").json()
    twin = client.get("/runs/trackstar.json?task=fact").json()
    negotiated = client.get("/runs/trackstar?task=fact", headers={"Accept": "application/json"})
    assert negotiated.json() == twin
    assert "Accept" in negotiated.headers["vary"]
    assert api.keys() == twin.keys()
    assert api["listing"]["items"][0]["url"] == "/api/v1/runs/trackstar/prompts/" + twin["listing"]["items"][
        0
    ]["url"].removeprefix("/runs/trackstar/prompts/").replace(".json", "")


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("*/*", False),
        ("", False),
        ("application/json", True),
        ("application/json, text/plain, */*", True),  # as axios asks
        ("text/html;q=0.5, application/json", True),
        ("text/html, application/json", False),
        ("application/json;q=0, */*", False),
        ("application/json;q=x", False),
    ],
)
def test_accept_is_read_as_rfc_9110_has_it(client: TestClient, accept: str, json: bool) -> None:
    for path in ("/runs", "/runs/there-is-none"):
        kind = client.get(path, headers={"Accept": accept}).headers["content-type"]
        assert kind.startswith("application/") == json, (path, kind)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["api", "twin"])
def test_addresses_in_json_lead_to_json(client: TestClient, form: str) -> None:
    """A client that follows `next_url` must not land on a page for people; two steps deep, from every document."""
    seen, wrong = set(), []
    for start in documents(client):
        page = start.removeprefix(urls.API) or "/"
        answer = client.get(start if form == "api" else urls.twin(page))
        if answer.headers["content-type"] != "application/json":
            continue
        for name, address in addresses(answer.json()):
            path = urlsplit(address).path
            if name in NO_DOCUMENTS or path in seen or not address.startswith("/"):
                continue
            seen.add(path)
            kind = client.get(address).headers["content-type"]
            if "html" in kind:
                wrong.append((start, name, address, kind))
    assert not wrong
    assert len(seen) > 30


def addresses(value: Any, name: str = "") -> list[tuple[str, str]]:
    """(field, address) of every address in a document."""
    if isinstance(value, dict):
        return [each for key, inner in value.items() for each in addresses(inner, key)]
    if isinstance(value, list):
        return [each for inner in value for each in addresses(inner, name)]
    return [(name, value)] if isinstance(value, str) and name.endswith("url") and value else []


def test_lists_come_in_pages_as_large_as_asked_for(client: TestClient) -> None:
    """`limit` stays while `next_url` is followed, and each prompt comes once."""
    met: list[str] = []
    address: str | None = "/api/v1/prompts?run=trackstar&limit=7"
    while address:
        listing = client.get(address).json()["listing"]
        assert len(listing["items"]) <= 7
        met += [item["slug"] for item in listing["items"]]
        address = listing["next_url"]
    assert len(met) == len(set(met)) == listing["total"] > 7
    whole = client.get("/api/v1/prompts?run=trackstar&limit=1000").json()["listing"]
    assert [item["slug"] for item in whole["items"]] == met
    assert client.get("/api/v1/prompts?limit=1001").status_code == 422
    for path in ("/compare?runs=trackstar,bm25", "/finds/mistakes?run=trackstar"):
        assert client.get(f"/api/v1{path}&limit=1").json()["next_url"], path


@pytest.mark.parametrize("path", ["/api/v1/prompts", "/prompts.json", "/api/v1/runs/trackstar.csv"])
def test_a_parameter_that_nobody_knows_is_refused_by_name(client: TestClient, path: str) -> None:
    """A misspelt filter was passed over, and the answer was to another question."""
    answer = client.get(f"{path}?tsk=fact")
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, "tsk")
    assert "task" in problem["remedy"]
    assert client.get("/prompts?utm_source=mail").status_code == 200, "people's links have such things"


def test_what_moved_is_sent_on_within_the_api(client: TestClient) -> None:
    answer = client.get("/api/v1/runs/TrackStar?task=fact", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/api/v1/runs/trackstar?task=fact")


def test_head_and_conditional_requests_answer_everywhere(client: TestClient) -> None:
    for path in documents(client):
        got = client.get(path)
        if got.status_code != 200 or path.endswith(
            "/status"
        ):  # which tells of the moment, and differs by the next
            continue
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["etag"] == got.headers["etag"]
        assert client.get(path, headers={"If-None-Match": got.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/api/v1/runs/trackstar.jsonl", "/prompts.csv?run=bm25&task=fact"])
def test_a_file_that_broke_off_is_gone_on_with(client: TestClient, path: str) -> None:
    """`curl -C -`: the rest, and only of the same file."""
    plain = {"Accept-Encoding": "identity"}
    whole = client.get(path, headers=plain)
    tag, size = whole.headers["etag"], len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert not tag.startswith("W/")
    half = size // 2
    rest = client.get(path, headers={"Range": f"bytes={half}-", "If-Range": tag})
    assert rest.status_code == 206
    assert rest.headers["content-range"] == f"bytes {half}-{size - 1}/{size}"
    assert whole.content[:half] + rest.content == whole.content
    assert client.get(path, headers={"Range": "bytes=-10"}).content == whole.content[-10:]
    assert client.get(path, headers={"Range": "bytes=0-0"}).content == whole.content[:1]
    other = client.get(path, headers={"Range": "bytes=5-", "If-Range": '"another"', **plain})
    assert (other.status_code, other.content) == (200, whole.content)
    again = client.get(
        path, headers={"Range": "bytes=5-", "If-Range": '"another"', "Accept-Encoding": "gzip"}
    )
    assert again.headers["etag"] == tag, "a strong tag is of these very bytes"
    assert again.headers.get("content-encoding", "identity") == "identity"
    past = client.get(path, headers={"Range": f"bytes={size}-"})
    assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{size}")
    for unread in ("bytes=1-2,5-6", "lines=1-2", "bytes=x-"):
        assert client.get(path, headers={"Range": unread, **plain}).content == whole.content, unread


@pytest.mark.parametrize("path", ["/api/v1/runs/trackstar.jsonl", "/prompts.csv?run=bm25&task=fact"])
def test_only_the_file_that_if_match_names_is_sent(client: TestClient, path: str) -> None:
    """RFC 9110, 13.1.1: strongly compared, and before If-None-Match and Range. Every one of these was 200."""
    tag = client.get(path, headers={"Accept-Encoding": "identity"}).headers["etag"]
    for accepted in ("identity", "gzip"):
        for held in (tag, "*", f'"another", {tag}'):
            answer = client.get(path, headers={"If-Match": held, "Accept-Encoding": accepted})
            assert (answer.status_code, answer.headers["etag"]) == (200, tag), held
        for other in ('"another"', f"W/{tag}"):
            for more in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": tag}):
                answer = client.get(path, headers={"If-Match": other, "Accept-Encoding": accepted, **more})
                assert answer.status_code == 412, (other, more)
    part = client.get(path, headers={"If-Match": tag, "Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)
    assert client.head(path, headers={"If-Match": '"another"'}).status_code == 412
    assert client.get("/runs.json", headers={"If-Match": "*"}).status_code == 200
    assert client.get("/runs.json", headers={"If-Match": tag}).status_code == 412
