"""A copy of a site needs no server: links lead to files that are there, and nothing is offered that would not work."""

import json
import posixpath
import re
import shutil
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.cli.main import app
from app.publish.paths import file_of, own_path, relative
from app.publish.rewrite import rewritten
from app.store.engine import open_store
from app.store.tables import Passage
from tests.support.hostile import fill_hostile
from tests.support.seeded import fill
from tests.support.vault import MARK, fill_vault

pytestmark = pytest.mark.slow

ADDRESS = "https://lab.example/star"
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    """A copy of a site with ordinary runs and one whose every text is an attack, beside names that are paths."""
    root = tmp_path_factory.mktemp("copied")
    home = root / "home"
    home.mkdir()
    shutil.copy(migrated_sqlite, home / "startrail.db")
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        fill(session, prompts=12, passages=150)
        fill_hostile(session)
    store.engine.dispose()
    return export(home, root / "copy", "trackstar", "hostile", "hostile-long")


def export(home: Path, out: Path, *runs: str) -> Path:
    arguments = [
        "export-site",
        str(out),
        "--address",
        ADDRESS,
        *(word for run in runs for word in ("--run", run)),
    ]
    done = CliRunner().invoke(app, arguments, env={"STARTRAIL_HOME": str(home)}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return out


@lru_cache(1)
def pages(copy: Path) -> list[tuple[Path, BeautifulSoup]]:
    """Every page, parsed once for all tests of one copy."""
    return [
        (file, BeautifulSoup(file.read_bytes().decode(), "html.parser"))
        for file in sorted(copy.rglob("*.html"))
    ]


def test_links_are_whole_and_relative(copied: Path) -> None:
    """A crawl of the files: each link ends at a file, at an id that is there, or on another site."""
    broken = []
    ids = {file: {tag["id"] for tag in page.find_all(id=True)} for file, page in pages(copied)}
    for file, page in pages(copied):
        for tag in page.find_all(["a", "link", "script", "form", "img"]):
            address = tag.get("href") or tag.get("src") or tag.get("action")
            if address is None or urlsplit(address).scheme in ("http", "https"):
                continue
            parts = urlsplit(address)
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            if (
                parts.path.startswith("/")
                or not target.is_file()
                or copied.resolve() not in target.resolve().parents
            ):
                broken.append((file, address))
            elif parts.fragment and tag.name == "a" and target in ids:
                broken += [(file, address)] if parts.fragment not in ids[target] else []
    assert not broken[:5]


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_sent(copied: Path) -> None:
    for file, page in pages(copied):
        for tag in page.find_all(list(LOADED)):
            assert not urlsplit(tag.get(LOADED[tag.name], "")).netloc, (file, tag)
        assert {form.get("role") for form in page.find_all("form")} <= {"search"}, file
        assert not page.select("[data-copy], [data-server], noscript, [method=post]"), file
        assert "localhost" not in page.get_text(), "an address at which the copy does not stand"
        assert not [
            name for tag in page.find_all(True) for name in tag.attrs if name.startswith(("hx-", "on"))
        ], file
        assert not page.select('a[href*="trace"], a[href*="upload"], nav:not([id]):empty'), file


def test_every_prompt_of_the_runs_keeps_its_address(copied: Path) -> None:
    files = {str(file.parent.relative_to(copied)) for file in copied.glob("runs/*/prompts/*/index.html")}
    assert "runs/trackstar/prompts/capital-china" in files
    assert {path.split("/")[1] for path in files} == {"trackstar", "hostile", "hostile-long"}
    listed = BeautifulSoup((copied / "prompts" / "index.html").read_bytes(), "html.parser").select(
        "#prompts a"
    )
    assert {posixpath.normpath(f"prompts/{a['href']}") for a in listed} == files


def test_passages_keep_their_addresses_and_their_texts(copied: Path) -> None:
    """`/passages/7` is a permalink that others have written down, and is read without scripts."""
    named = {a["href"] for _, page in pages(copied) for a in page.select('a[href*="passages/"]')}
    numbers = {int(href.rstrip("/").rpartition("/")[2]) for href in named}
    assert len(numbers) > 20
    store = open_store(f"sqlite:///{copied.parent / 'home' / 'startrail.db'}")
    with store.session() as session:
        for number in sorted(numbers)[:60]:
            page = BeautifulSoup(
                (copied / "passages" / str(number) / "index.html").read_bytes().decode(), "html.parser"
            )
            text = session.get_one(Passage, number).text
            assert page.blockquote.get_text() == re.sub("[\0\ud800-\udfff]", "\ufffd", text)
            assert str(number) in page.title.get_text()
    store.engine.dispose()


def test_lists_have_their_json_beside_them_and_finds_their_feed(copied: Path) -> None:
    twins = {file.relative_to(copied).as_posix() for file in copied.rglob("*.json")}
    assert {
        "index.json",
        "runs.json",
        "runs/trackstar.json",
        "finds.json",
        "methods.json",
        "evaluation.json",
    } <= twins
    for name in twins:
        assert "http://localhost" not in (copied / name).read_text(), name
    assert json.loads((copied / "runs.json").read_text())["runs"]
    feed = ElementTree.fromstring((copied / "finds.atom").read_bytes())
    links = {link.get("href") for link in feed.iter("{http://www.w3.org/2005/Atom}link")}
    assert links
    for link in links:
        place = link.removeprefix(ADDRESS)
        assert place != link
        assert (copied / place.strip("/") / "index.html").is_file() or (copied / place.strip("/")).is_file()


def test_texts_stay_what_they_are(copied: Path) -> None:
    """No attack becomes markup on its way through a second parser, and no blank is lost in a passage."""
    found = 0
    for file, page in pages(copied):
        assert not [tag for tag in page.find_all("script") if not tag.get("src")], file
        assert not page.select("img[onerror]")
        found += "<script>window.owned" in page.get_text()
    assert found


def test_a_directory_that_holds_something_is_left_alone(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = CliRunner().invoke(
        app, ["export-site", str(tmp_path)], env={"STARTRAIL_HOME": str(tmp_path / "home")}
    )
    assert done.exit_code == 2
    assert "mine.txt" in {file.name for file in tmp_path.iterdir()}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    """The home of a site that asks everybody for a sign-in, with a corpus and runs that are not for everybody."""
    home = tmp_path_factory.mktemp("closed")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        fill(session, prompts=4, passages=40)
        fill_vault(session)
    store.engine.dispose()
    return home


def test_a_copy_tells_nothing_that_is_private(
    closed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was 401: the command asked its own site as a stranger. The operator may copy; the copy is for the public."""
    monkeypatch.setenv("STARTRAIL_ACCESS", "private")
    copy = export(closed, tmp_path / "copy")
    assert (copy / "runs" / "trackstar" / "index.html").is_file()
    told = [file for file in copy.rglob("*") if file.is_file() and MARK.encode() in file.read_bytes()]
    assert not told


def test_what_is_private_is_copied_only_where_it_is_asked_for(
    closed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARTRAIL_ACCESS", "private")
    arguments = ["export-site", str(tmp_path / "copy"), "--include-private", "--run", "vault"]
    done = CliRunner().invoke(app, arguments, env={"STARTRAIL_HOME": str(closed)}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    pages = [*(tmp_path / "copy" / "runs" / "vault" / "prompts").rglob("index.html")]
    assert pages
    assert all(MARK in page.read_text() for page in pages)
    assert "Signed in" not in pages[0].read_text()
    named = ["export-site", str(tmp_path / "public"), "--run", "vault"]
    done = CliRunner().invoke(app, named, env={"STARTRAIL_HOME": str(closed)})
    assert done.exit_code == 2
    assert not (tmp_path / "public").exists()


def test_a_site_without_runs_or_models_has_a_copy_too(tmp_path: Path, migrated_sqlite: Path) -> None:
    """Corpus and prompts and no model: a full site, and so is its copy."""
    (tmp_path / "home").mkdir()
    shutil.copy(migrated_sqlite, tmp_path / "home" / "startrail.db")
    copy = export(tmp_path / "home", tmp_path / "copy")
    assert (copy / "index.html").is_file()
    assert (copy / "prompts" / "index.html").is_file()


@pytest.mark.parametrize(
    "path", ["/models/..", "/models/../../x", "/models/%2e%2e/x", "/corpora/a%2Fb", "/corpora/%00", f"/corpora/{'x' * 300}",
     "//x", "/a//b"]
)  # fmt: skip
def test_no_name_leaves_the_directory(path: str) -> None:
    """A corpus may be called anything, and its name stands in a path."""
    assert file_of(path) is None


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), max_size=4),
    st.integers(0, 5),
)
def test_a_relative_link_leads_back(names: list[str], depth: int) -> None:
    file = file_of("/" + "/".join(quote(name, safe="") for name in names))
    if file is None:
        return
    page = "/".join(["d"] * depth + ["index.html"])
    link = relative(file, page)
    found = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(link)))
    assert posixpath.normpath(posixpath.join(found, "index.html")) == posixpath.normpath(file)


@pytest.mark.parametrize(
    "address", ["https://arxiv.org/x", "//evil.example/x", "javascript:alert(1)", "#p1", "mailto:a@b", ""]
)
def test_only_own_addresses_are_resolved(address: str) -> None:
    assert own_path(address) is None


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ('<p>See <a href="/gone">this <b>page</b></a>.</p>', "<p>See <span>this <b>page</b></span>.</p>"),
        ('<nav><a href="/gone">Trace</a> <a href="/here">Runs</a></nav>', '<nav> <a href="here/">Runs</a></nav>'),
        ('<a class="button" href="/gone">JSON</a>x', "x"),
        ('<p>At <span data-server>http://localhost/a<br></span>.</p>', "<p>At .</p>"),
        ('<nav class="pager">\n<a class="button" href="/gone">Next</a>\n</nav>x', "x"),
        ('<form method="post" action="/here"><input name="a"><button>Go</button></form>x', "x"),
        ('<form role="search" action="/here"><input></form>', '<form role="search" action="here/"><input></form>'),
        ('<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>', '<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>'),
        ("<p>&lt;b&gt; &amp;amp; &#34;x</p>", "<p>&lt;b&gt; &amp;amp; &#34;x</p>"),
        ('<p hx-get="/here" title="a &#34; b">x</p>', '<p title="a &quot; b">x</p>'),
        ('<a href="https://arxiv.org/abs/1">paper</a>', '<a href="https://arxiv.org/abs/1">paper</a>'),
        ("<pre>a\n\n   b</pre><div>  \n  </div>", "<pre>a\n\n   b</pre><div>\n</div>"),
        ('<svg><a href="/gone"><circle r="1"/></a></svg>', '<svg><g><circle r="1"/></g></svg>'),
    ],
)  # fmt: skip
def test_what_needs_a_server_goes_and_the_rest_stays(html: str, left: str) -> None:
    assert rewritten(html, lambda address: "here/" if address == "/here" else None, "") == left
