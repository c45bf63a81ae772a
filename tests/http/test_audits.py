"""`/audits`: what an audit kept, with the passages as the corpus has them now."""

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.evaluation.audited import AuditRanking, CorpusAudit, Spread, write_audit
from app.store.tables import Corpus, Passage
from tests.support.sites import site, store_of

ROWS = {"self-influence": [4, 2, 9], "trackstar": [2, 7], "bm25": [2]}


@pytest.fixture(scope="module")
def reader(filled_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("audits")
    with site(filled_url, home) as opened:
        with store_of(opened).session() as session:
            known = session.execute(
                select(Corpus.name, Corpus.sha256, Corpus.passage_count).where(Corpus.name == "demo")
            ).one()
        audit = made(*known)
        write_audit(audit, home / "audits" / "first.json")
        elsewhere = {**audit.about, "corpus_sha256": "0" * 64}
        write_audit(replace(audit, about=elsewhere), home / "audits" / "older.json")
        (home / "audits" / "torn.json").write_text("{")
        (home / "audits" / ".next.json.1.partial").write_bytes(b"half")
        yield opened
        store_of(opened).engine.dispose()


def made(corpus: str, sha256: str | None, passages: int) -> CorpusAudit:
    about = {
        "command": "startrail audit demo --outputs unwanted.jsonl",
        "made": "2026-11-29T10:00:00+00:00",
        "index": "demo",
        "model": "demo",
        "corpus": corpus,
        "corpus_sha256": sha256,
        "passages": passages,
        "over": "sum",
    }
    rankings = [
        AuditRanking(
            by, rows, [f"id-{row}" for row in rows], [100.0 / (at + 1) for at in range(len(rows))], 99
        )
        for by, rows in ROWS.items()
    ]
    spread = Spread([0.0, 1.0, 1.5, 2.5], [90, 0, 9], passages - 99)
    return CorpusAudit(about, [{"id": "a", "prompt": "The mill is", "target": "violet"}], rankings, spread)


def test_the_json_has_every_list_with_texts_links_and_in_how_many_lists_a_passage_stands(
    reader: TestClient,
) -> None:
    page = reader.get("/audits.json").json()
    assert (page["name"], [each["name"] for each in page["audits"]]) == ("first", ["first", "older"])
    assert {each["by"]: [one["row"] for one in each["passages"]] for each in page["lists"]} == ROWS
    first = page["lists"][1]["passages"][0]
    assert (first["rank"], first["lists"]) == (1, 3)
    with store_of(reader).session() as session:
        query = select(Passage.id, Passage.text).join(Corpus).where(Corpus.name == "demo")
        id_, text = session.execute(query.where(Passage.position == 2)).one()
    assert first["text"] == text
    assert f"/passages/{id_}" in first["url"]
    assert not page["changed"]


def test_the_page_draws_the_spread_with_its_first_marked_and_says_how_to_repeat_it(
    reader: TestClient,
) -> None:
    soup = BeautifulSoup(reader.get("/audits").text, "html.parser")
    drawn = soup.select("#spread svg rect")
    assert [each["class"][1] for each in drawn[:2]] == ["shade-4", "shade-1"], "an empty bar is not drawn"
    said = soup.get_text(" ", strip=True)
    assert "startrail audit demo --outputs unwanted.jsonl" in said
    assert "The mill is violet" in said
    assert len(soup.select('table a[href^="/passages/"]')) >= 6


def test_a_corpus_that_is_another_now_lends_no_texts(reader: TestClient) -> None:
    """Row 4 of another corpus is another passage: it must not be shown as the one that was found."""
    page = reader.get("/audits.json?of=older").json()
    assert page["changed"]
    assert all(one["url"] is None and one["text"] == "" for each in page["lists"] for one in each["passages"])
    assert "id-4" in reader.get("/audits?of=older").text


def test_the_file_has_all_lists(reader: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(reader.get("/audits.csv").text)))
    assert [(row["by"], int(row["row"])) for row in rows] == [
        (by, row) for by, own in ROWS.items() for row in own
    ]


def test_what_is_not_there_or_torn_is_named(reader: TestClient) -> None:
    assert reader.get("/audits.json?of=moon").status_code == 404
    assert "first, older" in reader.get("/audits.json?of=moon").text
    torn = reader.get("/audits.json?of=torn")
    assert torn.status_code == 422
    assert "no outcome of startrail audit" in torn.text


def test_an_audit_of_a_hidden_corpus_is_not_there(filled_sqlite: Path, tmp_path: Path) -> None:
    """Neither its texts nor that there is one."""
    shutil.copy(filled_sqlite, tmp_path / "startrail.db")
    with site(f"sqlite:///{tmp_path / 'startrail.db'}", tmp_path) as opened:
        with store_of(opened).session() as session:
            corpus = session.scalars(select(Corpus).where(Corpus.name == "demo")).one()
            audit = made(corpus.name, corpus.sha256, corpus.passage_count)
            write_audit(audit, tmp_path / "audits" / "secret.json")
            corpus.visibility = "private"
        assert opened.get("/audits.json").json()["audits"] == []
        refused = opened.get("/audits.json?of=secret")
        assert (refused.status_code, "none" in refused.text) == (404, True)
        assert opened.get("/audits.csv?of=secret").status_code == 404
        store_of(opened).engine.dispose()


def test_a_home_without_one_says_what_makes_one(client: TestClient) -> None:
    assert "startrail audit CORPUS" in client.get("/audits").text
    assert client.get("/audits.json").json()["lists"] == []
