"""When something is not there or cannot be done: a page that helps, or a problem document, never a bare error."""

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.store.engine import open_store
from app.store.permalinks import leave_tombstone
from tests.support.sites import site

MISSING = (
    "/nowhere",
    "/runs/not-a-run",
    "/runs/trackstar/prompts/not-a-prompt",
    "/runs/not-a-run/prompts/capital-china",
    "/passages/999999999",
    "/runs/%00/prompts/%00",
    "/prompts?run=%00",
    "/evaluation/prompts?run=%00&measure=mrr",
    "/traces/%00",
    "/upload/%00",
)


@pytest.mark.parametrize("path", MISSING)
def test_a_reader_who_finds_nothing_is_helped_on(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    page = BeautifulSoup(answer.text, "html.parser")
    assert page.find("form", role="search")
    assert page.find("a", string="TrackStar")["href"] == "/runs/trackstar"
    assert "startrail runs list" not in page.get_text()  # that helps at a terminal, not here


def test_a_search_of_the_missing_address_is_prepared(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/runs/trackstar/prompts/capital-of-ruritania").text, "html.parser")
    assert page.select_one(".problem input[name=q]")["value"] == "capital of ruritania"


def test_close_names_are_suggested(client: TestClient) -> None:
    assert "trackstar" in client.get("/runs/trackstr").text


@pytest.mark.parametrize("path", ["/runs/not-a-run", "/passages/999999999", "/nowhere"])
def test_a_script_gets_a_problem_document(client: TestClient, path: str) -> None:
    """RFC 9457."""
    answer = client.get(f"{path}.json")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 404
    assert problem["title"] == "Not Found"
    assert problem["detail"]
    assert problem["instance"] == f"{path}.json"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/prompts.json?where=correct+and", "where"),
        ("/prompts.json?right=perhaps", "right"),
        ("/prompts.json?after=many", "after"),
        ("/prompts.json?after=99999999999999999999999999", "after"),
        ("/prompts.json?before=2147483648", "before"),  # no column of PostgreSQL holds it
        ("/runs/trackstar.json?frequency=abc", "frequency"),
        ("/runs/trackstar.csv?frequency=%C2%B2", "frequency"),
        ("/prompts.json?sort=beauty", "sort"),
        ("/runs/trackstar/prompts/capital-china.json?view=left", "view"),
        ("/runs/trackstar/prompts/capital-china.json?show=0", "show"),
        ("/passages/1.json?offset=9999999999", "offset"),
        ("/passages/abc.json", "id"),
        ("/passages/9223372036854775808.json", "id"),
        ("/go?run=trackstar&n=x", "n"),
    ],
)
def test_a_question_that_makes_no_sense_names_the_field(client: TestClient, path: str, field: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    if not path.partition("?")[0].endswith(".json"):
        assert field in answer.text
    else:
        assert answer.json()["field"] == field


def test_a_wrong_expression_stays_in_its_box_with_the_reason_beside_it(client: TestClient) -> None:
    """The reader must be able to mend what they typed, and must not be shown an unfiltered list as the answer."""
    answer = client.get("/prompts?where=correct+and&task=fact")
    assert answer.status_code == 422
    page = BeautifulSoup(answer.text, "html.parser")
    box = page.select_one("input[name=where]")
    assert box["value"] == "correct and"
    assert box["aria-invalid"] == "true"
    assert "column 12" in page.find(id=box["aria-describedby"]).get_text()
    assert not page.select(".list-column .prompt-list li")
    assert page.select_one("form.refine input[name=task]")["value"] == "fact"


def test_what_was_removed_says_why(database_url: str, tmp_path) -> None:  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
    with open_store(database_url) as store, store.session() as session:
        leave_tombstone(session, "/runs/old", "It was computed with a broken index.")
    with site(database_url, tmp_path) as client:
        page = client.get("/runs/old")
        assert page.status_code == 410
        assert "It was computed with a broken index." in page.text
        assert client.get("/runs/old.json").json()["status"] == 410


def test_an_empty_site_says_how_to_begin(database_url: str, tmp_path) -> None:  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
    """Right after the installation, before any run: every page stands and says what to do."""
    with site(database_url, tmp_path) as client:
        for path in ("/", "/prompts", "/runs"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "startrail" in BeautifulSoup(answer.text, "html.parser").select_one(".empty").get_text()
        assert client.get("/random").status_code == 404


def test_readiness_names_what_is_missing(client: TestClient) -> None:
    answer = client.get("/readyz.json")
    assert answer.status_code == 503
    checks = {check["name"]: check for check in answer.json()["checks"]}
    assert checks["database"]["ok"]
    assert not checks["worker"]["ok"]
    assert "operator" in checks["worker"]["detail"], "paths and commands are for admins"


def test_a_broken_page_is_a_500_that_tells_no_secrets(client: TestClient, monkeypatch) -> None:  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
    from app.web.browsing import runs

    def fail(session: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(runs, "list_runs", fail)
    answer = client.get("/runs")
    assert answer.status_code == 500
    assert "1234" not in answer.text
    assert "<h1>" in answer.text
    assert client.get("/runs.json").json()["status"] == 500
