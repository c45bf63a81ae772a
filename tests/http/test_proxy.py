"""Behind a real nginx: under a path, with and without the name that the reader typed, trusted and not."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.paths import CHECKOUT
from app.settings import Settings
from app.store.engine import open_store
from tests.support.asking import made_home, settings_of
from tests.support.nginx import nginx
from tests.support.ports import free_port
from tests.support.seeded import fill
from tests.support.sites import serving, site, store_of

pytestmark = pytest.mark.slow

OPERATE = (CHECKOUT / "docs" / "operate.md").read_text()
ALONE, CUT, PLAIN = [
    re.search(r"location [^{]*\{[^}]*\}", block)[0]
    for block in re.findall(r"```nginx\n(.*?)```", OPERATE, re.DOTALL)
]
# What is usual on plain http: the port is lost; nginx's own Host; Apache's and Traefik's way.
LOST = "location / { proxy_pass http://127.0.0.1:8000; proxy_set_header Host $host; }"
OWN = "location / { proxy_pass http://127.0.0.1:8000; }"
SAID = "location / { proxy_pass http://127.0.0.1:8000; proxy_set_header X-Forwarded-Host $http_host; }"


@pytest.mark.parametrize("location", [ALONE, CUT, PLAIN], ids=["alone", "cut", "plain"])
def test_behind_every_example_readers_are_who_they_are(
    filled_url: str, tmp_path: Path, location: str
) -> None:
    """Two of them passed on what a reader wrote of themselves: with a new address in each request nobody ran out of tries."""
    said = location.replace("$proxy_add_x_forwarded_for", "203.0.113.9")  # as if all came from there
    port = free_port()
    settings = Settings(
        home=tmp_path / "home", database_url=filled_url, root_path="/startrail", limit_wrong_tokens="3/hour",
        base_url=f"http://127.0.0.1:{port}", _env_file=None,
    )  # fmt: skip
    with serving(settings) as address, nginx(tmp_path / "nginx", port, said, address):
        path = "/sign-in" if location == ALONE else "/startrail/sign-in"
        tries = [
            httpx.post(
                f"http://127.0.0.1:{port}{path}",
                data={"token": "x"},
                headers={"X-Forwarded-For": f"198.51.100.{n}"},
            )
            for n in range(5)
        ]
    assert [each.status_code for each in tries] == [401, 401, 401, 429, 429]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that can be asked and browsed."""
    home = tmp_path_factory.mktemp("proxied") / "home"
    shutil.copytree(made_home(), home)
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        session.connection().exec_driver_sql("UPDATE corpora SET name = 'asked' WHERE name = 'demo'")
        fill(session, prompts=8, passages=100)
    store.engine.dispose()
    return home


@pytest.mark.parametrize(
    ("location", "settings"),
    [
        (CUT, {"allowed_hosts": ("lab.test",)}),
        (PLAIN, {"allowed_hosts": ("lab.test",), "root_path": "/startrail"}),
        (
            CUT.replace("X-Forwarded-Prefix /startrail", "X-Forwarded-Prefix ''"),
            {"base_url": "http://lab.test/startrail"},
        ),
    ],
    ids=["cut", "whole", "told"],
)
def test_under_a_path_every_address_has_the_path(
    home: Path, tmp_path: Path, location: str, settings: dict[str, Any]
) -> None:
    """Pages had no style, and each of their links left the site."""
    port = free_port()
    reader = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": f"lab.test:{port}"})
    with (
        serving(settings_of(home, **settings)) as address,
        nginx(tmp_path / "nginx", port, location, address),
        reader as client,
    ):
        assert client.get("/").text == "another app\n"
        crawl(client, "/startrail/")
        asked = client.post("/startrail/trace", data={"prompt": "The capital of Mali is"})
        assert asked.headers["location"].startswith("/startrail/traces/")
        said = client.get(asked.headers["location"] + ".json").json()
        assert said["events_url"].startswith("/startrail/traces/")
        assert said["url"] == asked.headers["location"] + ".json"
        assert urlsplit(said["permalink"]).path == asked.headers["location"]
        with client.stream("GET", said["events_url"]) as stream:
            assert next(stream.iter_lines()).startswith("data:")
        example = "/startrail/runs/trackstar/prompts/" + first_prompt(client)
        card = re.search(r'og:image" content="([^"]+)"', client.get(example).text)[1]
        assert client.get(urlsplit(card).path).headers["content-type"] == "image/png"
        assert "/startrail/" in client.get(f"{example}/cite.txt").text


def first_prompt(client: httpx.Client) -> str:
    slug: str = client.get("/startrail/runs/trackstar.json").json()["listing"]["items"][0]["slug"]
    return slug


def crawl(client: httpx.Client, start: str, most: int = 120) -> None:
    """Every link, script, style, picture, font and form of the pages reached stays under the path and answers."""
    seen, waiting = {start}, [start]
    while waiting and len(seen) < most:
        address = waiting.pop(0)
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code == 200 or "readyz" in address, address
        found = re.findall(r'url\("([^"]+)"\)', answer.text) if ".css" in address else []
        if answer.headers["content-type"].startswith("text/html"):
            for tag in BeautifulSoup(answer.text, "html.parser").find_all(True):
                found += [
                    tag[name] for name in ("href", "src", "action", "hx-get", "hx-post") if tag.get(name)
                ]
        for each in found:
            target = urlsplit(urljoin(f"http://lab.test{address}", each))
            if target.netloc.startswith("lab.test") and not each.startswith("data:"):
                assert target.path.startswith("/startrail/"), (address, each)
                place = target.path + (f"?{target.query}" if target.query else "")
                if place not in seen and not place.endswith(("/cancel", "/steps", "/span", "/tokens", "/go")):
                    seen.add(place)
                    waiting.append(place)
    assert len(seen) >= most


@pytest.mark.parametrize(
    ("location", "settings", "status"),
    [
        (ALONE, {"allowed_hosts": ("lab.test",)}, 422),
        (LOST, {"base_url": "http://lab.test:{port}"}, 422),
        (LOST, {"allowed_hosts": ("lab.test",)}, 403),
        (LOST, {}, 400),
        (OWN, {"base_url": "http://lab.test:{port}"}, 422),
        (OWN, {}, 403),
        (SAID, {"allowed_hosts": ("*.test",)}, 422),
        (SAID, {"allowed_hosts": ("lab.test",), "trusted_proxies": ()}, 403),
        (SAID, {}, 400),
    ],
    ids=[
        "host",
        "lost, told",
        "lost",
        "lost and unknown",
        "hidden, told",
        "hidden",
        "said",
        "said and not believed",
        "unknown",
    ],
)
def test_a_form_is_taken_where_the_operator_said_so_and_else_told_why(
    home: Path, tmp_path: Path, location: str, settings: dict[str, Any], status: int
) -> None:
    """On plain http a browser says only the page's origin. The refusal named the upload page, whatever was refused."""
    port = free_port()
    given = {k: v.format(port=port) if isinstance(v, str) else v for k, v in settings.items()}
    with (
        serving(settings_of(home, **given)) as address,
        nginx(tmp_path / "nginx", port, location, address),
    ):
        headers = {"Host": f"lab.test:{port}", "Origin": f"http://lab.test:{port}"}
        answer = httpx.post(f"http://127.0.0.1:{port}/trace", data={"prompt": ""}, headers=headers)
        assert answer.status_code == status
        elsewhere = httpx.post(
            f"http://127.0.0.1:{port}/trace", data={}, headers={**headers, "Origin": "http://evil.test"}
        )
        assert elsewhere.status_code in (400, 403)
    said = BeautifulSoup(answer.text, "html.parser").get_text()
    if status == 403:
        inside = urlsplit(address).netloc if location != LOST else "lab.test"
        assert f"from a page of http://lab.test:{port}, and this site is http://{inside}." in said
        assert "STARTRAIL_BASE_URL" in said
        assert "STARTRAIL_TRUSTED_PROXIES" in said
    if status == 400:
        assert "“lab.test" in said
        assert "STARTRAIL_ALLOWED_HOSTS" in said


@pytest.fixture
def open_site(filled_url: str, tmp_path: Path) -> Iterator[TestClient]:
    with site(
        filled_url, tmp_path, base_url="https://lab.example/", allowed_hosts=("testserver", "*.corp")
    ) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "a.localhost", "127.0.0.1:8000", "[::1]:8000", "192.168.1.5", "lab.example.",
             "lab.example:444", "x.corp", "testserver"]
)  # fmt: skip
def test_the_site_answers_to_its_names(open_site: TestClient, host: str) -> None:
    assert open_site.get("/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "corp", "xcorp", "lab.example.evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
             "[::1", "lab.example@evil.example", "evil.example:80:80"]
)  # fmt: skip
def test_a_name_that_points_here_without_being_ours_is_refused(open_site: TestClient, host: str) -> None:
    """Another site's page reads what it likes once its own name points at this machine. Nor does it help to be let in by
    a header that only a proxy should send: from this machine, the page's requests come like the proxy's."""
    for headers in (
        {"Host": host},
        {"Host": host, "X-Forwarded-Host": "localhost"},
        {"X-Forwarded-Host": host},
    ):
        with site(str(store_of(open_site).engine.url), Path(), trusted_proxies=("127.0.0.1",)) as client:
            client = TestClient(client.app, client=("127.0.0.1", 1))
            answer = client.get("/prompts.json", headers=headers)
        assert answer.status_code == 400, headers
        assert "content-security-policy" in answer.headers


def test_what_is_said_of_a_request_is_believed_of_the_proxy_only(filled_url: str, tmp_path: Path) -> None:
    said = {"X-Forwarded-Prefix": "/startrail", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "lab.test"}
    with site(filled_url, tmp_path, allowed_hosts=("lab.test",), trusted_proxies=("10.0.0.0/8",)) as opened:
        for address, believed in (
            ("10.1.2.3", True),
            ("10.1.2.3.4", False),
            ("11.0.0.1", False),
            ("::1", False),
        ):
            client = TestClient(opened.app, base_url="http://127.0.0.1", client=(address, 1))
            page = client.get("/runs/trackstar/prompts/capital-china/cite", headers=said)
            assert ('href="/startrail/runs"' in page.text) is believed
            assert ("https://lab.test/startrail/runs/" in page.text) is believed


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "/a b", '/"><script>', "/..", "/a/../b", "evil", "/a?b", "/é", "/"]
)
def test_no_header_puts_more_into_a_page_than_a_path(open_site: TestClient, prefix: str) -> None:
    client = TestClient(open_site.app, client=("127.0.0.1", 1))
    page = client.get("/", headers={b"X-Forwarded-Prefix": prefix.encode()})
    assert page.status_code == 200
    assert 'href="/runs"' in page.text
