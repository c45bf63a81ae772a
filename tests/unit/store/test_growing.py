"""A corpus added in steps: shown when it is whole, resumed where it was stopped, and never two halves of two things."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.errors import NotFound, UserError
from app.interchange.adding import add_corpus_files
from app.store import growing
from app.store.corpora import (
    PassageRecord,
    add_corpus,
    get_corpus,
    list_corpora,
    list_unfinished,
    stream_passages,
)
from app.store.denied import deny
from app.store.engine import Store
from app.store.full_text import search_passages
from app.store.growing import AddedMeanwhile, discard_unfinished, grow_corpus
from app.store.readers import READER, SCOPES, Visitor
from app.store.tables import Corpus, Passage

RECORDS = [PassageRecord(f"p{n}", f"Passage number {n}", {"n": n}) for n in range(10)]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "STEP_ROWS", 3)


def stopping(at: int, error: BaseException) -> Iterator[PassageRecord]:
    yield from RECORDS[:at]
    raise error


def stop(store: Store, at: int = 7) -> None:
    with pytest.raises(KeyboardInterrupt):
        grow_corpus(store, "world", stopping(at, KeyboardInterrupt()))


def kept(store: Store) -> int:
    with store.session() as session:
        return session.scalar(select(func.count()).select_from(Passage)) or 0


def test_what_was_stopped_goes_on_to_the_same_digest_and_stores_nothing_twice(store: Store) -> None:
    stop(store)
    with store.session() as session:
        before = session.scalars(select(Passage.id).order_by(Passage.position)).all()
    assert len(before) == 6
    grown = grow_corpus(store, "world", RECORDS)
    assert (grown.passages, grown.resumed) == (10, 6)
    with store.session() as session:
        at_once = add_corpus(session, "at once", RECORDS)
        corpus = get_corpus(session, "world")
        assert corpus.sha256 == at_once.sha256
        assert [row[1:] for row in stream_passages(session, corpus.id)] == [
            (each.external_id, each.text) for each in RECORDS
        ]
        assert [row[0] for row in stream_passages(session, corpus.id)][:6] == list(before)
    with store.session() as session:  # words are searched once it is whole
        assert len(search_passages(session, "number 9")) == 2


@pytest.mark.parametrize(
    "visitor", [Visitor(), Visitor(name="team"), Visitor(name="root", scopes=frozenset(SCOPES))]
)
def test_what_is_not_whole_is_shown_to_nobody_and_taken_by_no_command(store: Store, visitor: Visitor) -> None:
    stop(store)
    with store.session() as session:
        assert list_corpora(session) == []
        assert [each.passage_count for each in list_unfinished(session)] == [6]
        with pytest.raises(UserError, match=r"not whole: 6 of its passages are here.*same command"):
            get_corpus(session, "world")
    token = READER.set(visitor)
    try:
        with store.session() as session:
            assert session.scalars(select(Corpus)).all() == []
            assert session.scalars(select(Passage)).all() == []
            with pytest.raises(NotFound):
                get_corpus(session, "world")
    finally:
        READER.reset(token)


@pytest.mark.parametrize("records", [[PassageRecord("p0", "Else"), *RECORDS[1:]], RECORDS[:4], RECORDS[::-1]])
def test_other_files_do_not_go_on_where_these_were_stopped(
    store: Store, records: Iterable[PassageRecord]
) -> None:
    stop(store)
    with pytest.raises(UserError, match=r"other ones than the files begin with.*once more"):
        grow_corpus(store, "world", records)
    assert kept(store) == 0
    assert grow_corpus(store, "world", records).resumed == 0


def test_a_record_that_cannot_be_used_leaves_nothing(store: Store) -> None:
    with pytest.raises(UserError, match="no text"):
        grow_corpus(store, "world", stopping(7, UserError("no text")))
    assert kept(store) == 0
    with store.session() as session:
        deny(session, "corpus", add_corpus(session, "other", RECORDS).sha256 or "", "Asked for.")
    with pytest.raises(UserError, match="taken down"):
        grow_corpus(store, "world", RECORDS)
    with store.session() as session:
        assert [each.name for each in session.scalars(select(Corpus))] == ["other"]


def test_two_who_add_the_same_do_not_mix(store: Store) -> None:
    """The second begins while the first reads: it is the first that cannot go on, and what is there stays whole."""

    def overtaken() -> Iterator[PassageRecord]:
        yield from RECORDS[:4]
        grow_corpus(store, "world", RECORDS)
        yield from RECORDS[4:]

    with pytest.raises(AddedMeanwhile, match="at this moment"):
        grow_corpus(store, "world", overtaken())
    with store.session() as session:
        assert get_corpus(session, "world").passage_count == kept(store) == 10


def test_what_was_stopped_can_be_thrown_away(store: Store) -> None:
    stop(store)
    assert discard_unfinished(store, "world") == 6
    assert kept(store) == 0
    with pytest.raises(UserError, match="Nothing is here"):
        discard_unfinished(store, "world")
    grow_corpus(store, "world", RECORDS)
    with pytest.raises(UserError, match=r"is whole.*startrail remove corpus world"):
        discard_unfinished(store, "world")


DYING = """
import os, signal, sys
from app.interchange.adding import add_corpus_files
from app.store import growing
from app.store.engine import open_store
growing.STEP_ROWS = 400
told = iter(range(3))
def die(done, total, label=None):
    if next(told, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
add_corpus_files(open_store(sys.argv[1]), [sys.argv[2]], "web", progress=die)
"""


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_killed_half_way_it_goes_on_to_the_same_digest(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the machine does it: no handler runs, no transaction is rolled back."""
    monkeypatch.setattr(growing, "STEP_ROWS", 400)
    path = tmp_path / "c4.jsonl"
    with path.open("w") as out:
        for number in range(4000):
            out.write(json.dumps({"text": f"Page {number} of the web.", "url": f"http://a/{number}"}) + "\n")
    died = subprocess.run([sys.executable, "-c", DYING, database_url, path], check=False)
    assert died.returncode == -signal.SIGKILL
    grown = add_corpus_files(store, [str(path)], "web")
    assert 0 < grown.resumed < grown.passages == 4000
    add_corpus_files(store, [str(path)], "again")
    with store.session() as session:
        assert get_corpus(session, "web").sha256 == get_corpus(session, "again").sha256
