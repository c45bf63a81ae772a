"""A script reads a site: every page of a list, a record, a file in and out; what it does wrong is one clear error."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from app.main import create_app
from app.settings import Settings
from app.store.engine import Store, open_store
from app.store.tables import Result, Run
from startrail import Client, NotFound, UserError
from startrail.inside import Inside
from tests.support.pair_files import jsonl, record

ADDRESS = "http://localhost:8000"


@pytest.fixture
def store(filled_sqlite: Path, tmp_path: Path) -> Iterator[Store]:
    """A filled store."""
    shutil.copy(filled_sqlite, tmp_path / "startrail.db")
    store = open_store(f"sqlite:///{tmp_path / 'startrail.db'}")
    yield store
    store.engine.dispose()


@pytest.fixture
def client(store: Store, tmp_path: Path) -> Iterator[Client]:
    """A client of the site over it."""
    site = create_app(Settings(home=tmp_path, _env_file=None))
    with Client(ADDRESS, http=httpx.Client(transport=Inside(site), base_url=ADDRESS)) as client:
        yield client


def test_a_list_comes_whole_though_the_site_gives_it_in_pages(client: Client, store: Store) -> None:
    """Twenty-odd a page: who stops at the first page counts wrongly without noticing."""
    most = 0
    for run in client.runs():
        with store.session() as session:
            wanted = session.scalar(
                select(func.count()).select_from(Result).join(Run).where(Run.slug == run["slug"])
            )
        slugs = [each["slug"] for each in client.prompts(run["slug"])]
        assert len(slugs) == len(set(slugs)) == wanted
        most = max(most, wanted)
    assert most > 30, "more than a page, or this shows nothing"


def test_filters_are_the_page_s_filters(client: Client) -> None:
    every = list(client.prompts())
    right = list(client.prompts(where="correct"))
    assert [each["slug"] for each in right] == [each["slug"] for each in every if each["correct"]]
    with pytest.raises(UserError) as error:
        list(client.prompts(where="correct and and"))
    assert error.value.field == "where"


def test_an_example_is_the_record_of_the_file(client: Client, tmp_path: Path) -> None:
    run = client.runs()[0]["slug"]
    first = next(client.prompts(run))
    exported = [
        json.loads(line) for line in client.export(run, tmp_path / "run.jsonl").read_bytes().splitlines()
    ]
    assert client.example(run, first["slug"]) in exported
    assert len(exported) == len(list(client.prompts(run)))


def test_a_file_goes_in_and_comes_out_equal(client: Client, tmp_path: Path) -> None:
    """Unknown fields, nulls and the order of keys too."""
    file = tmp_path / "mine.jsonl"
    file.write_bytes(jsonl([record(n) for n in range(5)]))
    name = client.import_results(file, run="mine")
    assert [
        json.loads(line) for line in client.export(name, tmp_path / "out.jsonl").read_bytes().splitlines()
    ] == [record(n) for n in range(5)]
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"example_id": "a"\n')
    with pytest.raises(UserError, match=r"broken\.jsonl:1"):
        client.import_results(broken)
    assert [each["slug"] for each in client.runs()].count("mine") == 1


@pytest.mark.parametrize("run", ["nope", "trackstar/../nope", "%00"])
def test_what_is_not_there_is_said_so(client: Client, run: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        client.example(run, "x")
    with pytest.raises(NotFound):
        client.export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists(), "no empty file where there is no run"


def test_a_question_that_cannot_be_asked_is_refused_at_its_field(client: Client) -> None:
    """The site has no model here; the empty prompt is refused all the same, or the missing model is named."""
    with pytest.raises(UserError) as error:
        client.trace("")
    assert error.value.field
    with pytest.raises(NotFound):
        client.answer("nosuchtrace2")


def test_what_is_no_startrail_is_said_so(tmp_path: Path) -> None:
    """A proxy's page, or another application at this address."""

    def elsewhere(request: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="<h1>Bad gateway</h1>")

    client = Client(ADDRESS, http=httpx.Client(transport=httpx.MockTransport(elsewhere), base_url=ADDRESS))
    with pytest.raises(UserError, match="502"):
        client.runs()


def test_an_export_that_broke_off_leaves_no_file(tmp_path: Path) -> None:
    """A proxy that closes early must not leave half a run that looks like a whole one."""

    def half(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text='{"example_id": "a"}\n{"example_id": "b"}\n')

    client = Client(ADDRESS, http=httpx.Client(transport=httpx.MockTransport(half), base_url=ADDRESS))
    with pytest.raises(UserError, match="broke off"):
        client.export("mine", tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []
