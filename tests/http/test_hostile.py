"""Any text in any place: every page, fragment, twin, stream, file and card is made whole, and none of it runs."""

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image

from tests.support.hostile_home import addresses, fill_hostile_home
from tests.support.routes import routes
from tests.support.sites import site

PARQUET = "application/vnd.apache.parquet"
FRAGMENTS = 2  # addresses of a route that are asked for without their frame too: blocks of the same templates


@pytest.fixture(scope="module")
def hostile(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[tuple[TestClient, dict[str, list[str]]]]:
    """The site over a store of hostile texts, and what its addresses are made of. What a text does on its way out does
    not depend on the database; what databases make of texts is asked where the store is tested."""
    home = tmp_path_factory.mktemp("hostile")
    values = fill_hostile_home(home, migrated_sqlite)
    with site(f"sqlite:///{home / 'startrail.db'}", home) as client:
        yield client, values


class Harmless(HTMLParser):
    """Markup without scripts of its own: a text that became a tag is found here."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert tag != "script" or "src" in names
        assert not [name for name in names if name.startswith("on") or name == "style"]


def sound(path: str, answer: Response) -> None:
    """The answer is what its type says, to the end, and nothing of a text became markup, an event or a formula."""
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == PARQUET:
        assert pq.read_table(io.BytesIO(answer.content)).num_columns
        return
    text = (
        answer.content.decode() if not kind.startswith("image/") else ""
    )  # strict: raises on half a character
    if kind == "text/html":
        Harmless().feed(text)
    elif kind == "application/x-ndjson":
        assert None not in [json.loads(line) for line in text.split("\n")[:-1]]  # of an empty table no line
    elif kind.endswith("json"):
        assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")) is not None
    elif kind in ("application/xml", "application/atom+xml"):
        assert ElementTree.fromstring(answer.content) is not None
    elif kind == "text/event-stream":
        assert text.endswith("event: done\ndata: \n\n")
        assert text.count("event: ") == 1
    elif kind == "text/csv":
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows}) == 1
        assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "@", "\t", "\r", "\n")]
    elif kind == "image/png":
        assert Image.open(io.BytesIO(answer.content)).size == (1200, 630)
    else:
        assert kind in (
            "text/plain",
            "application/x-bibtex",
            "text/css",
            "image/vnd.microsoft.icon",
            "image/x-icon",
        ), f"{path}: say what a sound {kind} is"


@pytest.mark.slow
def test_any_text_leaves_by_every_route(hostile: tuple[TestClient, dict[str, list[str]]]) -> None:
    client, values = hostile
    seen: set[str] = set()
    for _, path in routes(client.app, "GET"):  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
        for number, address in enumerate(addresses(path, values)):
            answer = client.get(address, follow_redirects=False)
            expected = answer.status_code in (200, 303, 307, 401) or "readyz" in address
            assert expected or re.search("no answer (yet|to cite)", answer.text), (address, answer.text)
            if answer.status_code in (200, 503):
                sound(path, answer)
                seen.add(answer.headers["content-type"].partition(";")[0])
                if number < FRAGMENTS and answer.headers["content-type"].startswith("text/html"):
                    sound(path, client.get(address, headers={"HX-Request": "true"}))
    assert seen >= {
        "text/html",
        "application/json",
        "text/event-stream",
        "text/csv",
        "application/x-ndjson",
        "image/png",
        PARQUET,
    }


def test_half_a_character_in_a_question_is_refused_in_words(
    hostile: tuple[TestClient, dict[str, list[str]]],
) -> None:
    """The refusal repeats what was asked for, and must itself be sendable."""
    client, _ = hostile
    for body in ('{"prompt": "x", "model": "\\ud800"}', '{"prompt": "\\ud83d and"}', '{"\\udfff": 1}'):
        answer = client.post("/api/traces", content=body)
        assert answer.status_code == 422, answer.text
        sound("/api/traces", answer)


@pytest.mark.slow
def test_every_type_of_page_has_a_title_and_a_description_of_its_own(
    hostile: tuple[TestClient, dict[str, list[str]]],
) -> None:
    """In a list of search results or of open tabs, two types of page that say the same cannot be told apart: a model and
    its corpus were both called “demo”, and most descriptions were their titles again."""
    client, values = hostile
    said: dict[str, tuple[str, str]] = {}
    paths = [path for _, path in routes(client.app, "GET")]  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
    for path in [*(path for path in paths if "." not in path), "/nowhere"]:
        answer = client.get(next(iter(addresses(path, values))), follow_redirects=False)
        if answer.status_code != 401 and answer.headers.get("content-type", "").startswith("text/html"):
            page = BeautifulSoup(answer.text, "html.parser")
            title, about = page.title, page.select_one("meta[name=description]")
            assert title is not None, path
            assert about is not None, path
            type_ = "cite" if path.endswith("/cite") else path  # one page with two ways in
            said[type_] = (title.get_text().removesuffix(" · Startrail"), str(about["content"]))
    assert len(said) > 25
    for told in zip(*said.values(), strict=True):
        words = [" ".join(each.split()) for each in told]
        assert "" not in words, said
        assert len(set(words)) == len(words), [each for each in words if words.count(each) > 1]
