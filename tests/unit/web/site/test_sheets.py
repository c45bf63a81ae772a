"""A style sheet is edited in parts and sent as one file: nothing of it is lost, and no part is a request of its own."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.paths import STATIC
from app.web.site import urls
from app.web.site.sheets import content, is_part
from app.web.site.statics import Statics

SHEETS = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.css"))
WHOLE = [name for name in SHEETS if not is_part(name)]


@pytest.mark.parametrize("name", WHOLE)
def test_a_browser_asks_for_no_part(name: str) -> None:
    assert b"@import" not in content(name)


def test_each_part_stands_whole_in_the_sheet_of_its_folder_and_once() -> None:
    """A part that no sheet names would be a file that no reader ever gets."""
    parts = [name for name in SHEETS if is_part(name)]
    assert parts
    for part in parts:
        sheet = content(f"{part.partition('/')[0]}.css")
        assert sheet.count(content(part).rstrip()) == 1, part


def test_what_is_sent_has_the_rules_and_not_what_is_said_about_them() -> None:
    """Comments and indentation are a tenth of the bytes of a first visit's sheets; no rule may go with them."""
    for name in WHOLE:
        sent = content(name).decode()
        folder = f"{name.removesuffix('.css')}/"
        files = [each for each in SHEETS if each == name or each.startswith(folder)]
        written = "".join((STATIC / each).read_text() for each in files)
        assert "/*" not in sent
        assert not re.search(r"^\s", sent, re.MULTILINE)
        rules = re.sub(r"/\*.*?\*/", "", written, flags=re.DOTALL)
        for line in filter(None, map(str.strip, rules.splitlines())):
            squeezed = re.sub(r"^([\w-]+): ", r"\1:", line).replace(" {", "{")
            assert squeezed in sent or line.startswith("@import"), (name, line)


def test_scripts_are_sent_without_their_remarks_and_with_all_that_they_do() -> None:
    for file in STATIC.glob("*.js"):
        sent = content(file.name).decode().splitlines()
        assert sent == [
            line.strip()
            for line in file.read_text().splitlines()
            if line.strip() and not line.strip().startswith("//")
        ]
        assert "`" not in "".join(line for line in sent if line.count("`") % 2), (
            "a text over several lines keeps its own"
        )
    vendored = next((STATIC / "vendor").glob("*.js"))
    assert content(f"vendor/{vendored.name}") == vendored.read_bytes()


def test_layers_are_in_order_before_any_part_fills_one() -> None:
    """The order of layers is that of their first mention."""
    assert (
        re.search(rb"@layer [^;{]+[;{]", content("app.css"))[0]
        == b"@layer tokens, base, layout, parts, last;"
    )


@pytest.mark.parametrize("name", SHEETS)
def test_no_file_is_longer_than_a_reader_keeps_in_mind(name: str) -> None:
    assert len((STATIC / name).read_text().splitlines()) <= 400


def test_an_edited_part_is_another_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ETag and its address are those of what is sent, not of the file that names the parts."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app.css").write_text('@import "app/base.css";\n')
    monkeypatch.setattr("app.web.site.sheets.STATIC", tmp_path)
    monkeypatch.setattr("app.web.site.statics.STATIC", tmp_path)
    site = Starlette(routes=[Mount("/static", Statics(directory=tmp_path))])
    reader = TestClient(site)
    seen = []
    for colour in ("red", "blue"):
        (tmp_path / "app" / "base.css").write_text(f"a {{ color: {colour} }}\n")
        answer = reader.get("/static/app.css")
        again = reader.get("/static/app.css", headers={"If-None-Match": answer.headers["etag"]})
        urls._content_hash.cache_clear()
        seen.append((answer.text, answer.headers["etag"], urls.static("app.css")))
        assert (answer.headers["content-type"], again.status_code) == ("text/css; charset=utf-8", 304)
    urls._content_hash.cache_clear()
    assert all(one != other for one, other in zip(*seen, strict=True))
