"""What holds for every page: a twin that says the same, links that lead somewhere, headers that keep text harmless."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

PAGES = (
    "/",
    "/prompts",
    "/prompts?task=fact&sort=score",
    "/prompts?q=zyzzyva",
    "/runs",
    "/runs/trackstar",
    "/runs/hostile",
    "/runs/trackstar/prompts/capital-china",
    "/runs/trackstar/prompts/capital-china?view=verbatim",
    "/runs/hostile/prompts/attack",
    "/runs/hostile/prompts/bare",
    "/runs/trackstar/prompts/capital-china/cite",
    "/finds",
    "/finds/known-from-one",
    "/models",
    "/models/demo-4m",
    "/corpora",
    "/corpora/demo",
    "/corpora/hostile",
    "/passages/1",
    "/compare",
    "/compare?runs=trackstar,bm25",
    "/compare/capital-china?runs=trackstar,bm25,dense",
    "/evaluation",
    "/methods",
    "/truth",
    "/runs?method=bm25",
    "/trace",
    "/upload",
    "/about",
    "/docs",
    "/healthz",
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_safe(client: TestClient, path: str) -> None:
    """One heading, a language, a title, no inline script or style, and a policy that would refuse them."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    page = BeautifulSoup(answer.text, "html.parser")
    assert len(page.find_all("h1")) == 1
    assert page.html["lang"] == "en"
    assert page.title.string.endswith("Startrail")
    assert not [tag for tag in page.find_all("script") if not tag.get("src")]
    assert not page.find_all("style")
    assert not page.find_all(style=True)
    assert not [name for tag in page.find_all(True) for name in tag.attrs if name.startswith("on")]
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
def test_no_id_stands_twice_and_every_anchor_leads_somewhere(client: TestClient, path: str) -> None:
    page = BeautifulSoup(client.get(path).text, "html.parser")
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for link in page.find_all("a", href=re.compile("^#.")):
        assert link["href"][1:] in ids
    for label in page.find_all(True, {"aria-labelledby": True}):
        assert label["aria-labelledby"] in ids


@pytest.mark.slow
def test_every_link_of_every_page_resolves(client: TestClient) -> None:
    """A crawl over all that the pages name: nothing is a dead end, nothing breaks on our side."""
    seen: set[str] = set()
    broken = []
    for start in PAGES:
        page = BeautifulSoup(client.get(start).text, "html.parser")
        for tag in page.find_all(["a", "link", "script", "img", "form"]):
            address = (
                tag.get("href")
                or tag.get("src")
                or (tag.get("action") if tag.get("method") != "post" else None)
            )
            if not address:
                continue
            target = urlsplit(urljoin(f"http://testserver{start}", address))
            path = target.path + (f"?{target.query}" if target.query else "")
            if target.netloc != "testserver" or path in seen or path.startswith("/random"):
                continue
            seen.add(path)
            if tag.name == "form":
                continue  # a form without its fields asks nothing; forms are tested where they belong
            answer = client.get(path, follow_redirects=True)
            if answer.status_code != 200 and "readyz" not in path:
                broken.append((start, path, answer.status_code))
    assert not broken
    assert len(seen) > 100


@pytest.mark.parametrize("path", PAGES)
def test_the_twin_is_json_with_the_same_title(client: TestClient, path: str) -> None:
    parts = urlsplit(path)
    twin = (parts.path.rstrip("/") or "/index") + ".json" + (f"?{parts.query}" if parts.query else "")
    answer = client.get(twin)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["title"]
    page = BeautifulSoup(client.get(path).text, "html.parser")
    link = page.find("a", string="This page as JSON")
    assert link is not None
    assert link["href"] == twin


def test_a_page_that_did_not_change_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/runs/trackstar/prompts/capital-china")
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    again = client.get("/runs/trackstar/prompts/capital-china", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert not again.content
    other = client.get("/runs/trackstar/prompts/capital-china?view=plain", headers={"If-None-Match": tag})
    assert other.status_code == 200


def test_htmx_gets_the_fragment_but_going_back_gets_the_page(client: TestClient) -> None:
    """A cache between must keep the two apart, and a restored history entry must never be a bare fragment."""
    path = "/runs/trackstar/prompts/capital-china"
    whole = client.get(path)
    assert {part.strip() for part in whole.headers["vary"].split(",")} >= {"HX-Request", "HX-Request-Type"}
    fragment = client.get(path, headers={"HX-Request": "true"})
    assert "<html" not in fragment.text
    assert 'class="proponent"' in fragment.text
    assert fragment.headers["etag"] != whole.headers["etag"]
    back = client.get(path, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert back.text == whole.text


def test_pages_are_compressed(client: TestClient) -> None:
    answer = client.get("/prompts", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


def test_static_files_are_kept_for_ever_by_their_content(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/").text, "html.parser")
    style = page.find("link", rel="stylesheet")["href"]
    assert "immutable" in client.get(style).headers["cache-control"]


def test_the_vendored_scripts_are_the_ones_whose_checksums_we_keep() -> None:
    import hashlib

    from app.paths import STATIC

    for folder in ("vendor", "fonts"):
        for line in (STATIC / folder / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split()
            assert hashlib.sha256((STATIC / folder / name).read_bytes()).hexdigest() == digest


def test_the_api_page_names_every_operation(client: TestClient) -> None:
    """Drawn from the OpenAPI document, without anybody else's scripts."""
    document = client.get("/openapi.json").json()
    page = BeautifulSoup(client.get("/docs").text, "html.parser")
    said = {
        heading.get_text(" ", strip=True).removesuffix(" Open") for heading in page.select(".operation h2")
    }
    wanted = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert said == wanted
