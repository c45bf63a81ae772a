"""Data sets named on the hub: read file by file at one pinned commit, which is kept, from a small hub on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import UserError
from app.interchange.adding import add_corpus_files
from app.interchange.plain import read_passages
from app.interchange.records import Reading
from app.interchange.records.sources import find
from app.interchange.results import export_results, import_results
from app.interchange.sift import Sift
from app.store import growing
from app.store.corpora import get_corpus, stream_passages
from app.store.engine import Store
from app.store.runs import get_run
from tests.support.paper_records import paper_record
from tests.support.small_hub import COMMIT, DATASETS, NEXT, SmallHub, serving


def lines(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


FILES = {f"en/train-{number}.jsonl": lines(*(f"Page {number}.{n}" for n in (0, 1))) for number in (10, 2)}
FILES |= {"en/test-0.jsonl": lines("Test."), "README.md": b"# About", ".gitattributes": b""}
PAGES = ["Page 2.0", "Page 2.1", "Page 10.0", "Page 10.1"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SmallHub]:
    with serving(SmallHub(FILES, DATASETS), monkeypatch, tmp_path / "cache") as served:
        yield served


def test_a_data_set_is_read_in_order_at_one_revision(hub: SmallHub) -> None:
    assert [each.text for each in read_passages("hf://datasets/lab/tiny")] == PAGES
    assert [str(source.name) for source in find(["hf://datasets/lab/tiny/en"], split="test")] == [
        f"hf://datasets/lab/tiny@{COMMIT}/en/test-0.jsonl"
    ]


def test_what_the_hub_does_not_have_is_one_sentence(hub: SmallHub) -> None:
    for where, said in (
        ("hf://datasets/lab/none", "did not give it"),
        ("hf://datasets/lab/tiny@v9", "did not give it"),
        ("hf://datasets/lab/tiny/fr", "no such file"),
        ("hf://lab/tiny", "names no data set"),
    ):
        with pytest.raises(UserError, match=said):
            list(read_passages(where))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("named", ["", "@main", f"@{COMMIT}"])
def test_a_corpus_keeps_the_commit_that_it_was_read_at(hub: SmallHub, store: Store, named: str) -> None:
    """`main` is something else next month; what this corpus is made of can then still be had."""
    add_corpus_files(store, [f"hf://datasets/lab/tiny{named}/en"], "web", reading=Reading(split="train"))
    with store.session() as session:
        corpus = get_corpus(session, "web")
        assert corpus.reading == {
            "files": [f"hf://datasets/lab/tiny@{COMMIT}/en"],
            "how": {"split": "train"},
        }
        assert corpus.source == f"https://huggingface.co/datasets/lab/tiny/tree/{COMMIT}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_adding_that_was_stopped_goes_on_at_its_own_commit(
    hub: SmallHub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub moved on meanwhile: half of one commit and half of another would be no data set at all."""
    monkeypatch.setattr(growing, "STEP_ROWS", 1)
    where, several = "hf://datasets/lab/tiny/en", Sift(limit=3)

    def stop(done: int, total: int, label: str | None = None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # when all is read
        add_corpus_files(store, [where], "web", progress=stop)
    hub.push({name: content.replace(b"Page", b"Leaf") for name, content in FILES.items()})
    grown = add_corpus_files(store, [where], "web")
    assert grown.resumed > 0
    add_corpus_files(store, [where], "newer", sift=several)
    with store.session() as session:
        assert [text for *_, text in stream_passages(session, get_corpus(session, "web").id)] == PAGES
        newer = get_corpus(session, "newer")
        assert newer.reading == {"files": [f"hf://datasets/lab/tiny@{NEXT}/en"], "how": {"limit": 3}}
        assert next(stream_passages(session, newer.id))[2] == "Leaf 2.0"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_results_on_the_hub_keep_their_commit_too(hub: SmallHub, store: Store) -> None:
    record = paper_record(0)
    hub.push({"train.jsonl": json.dumps(record).encode()})
    with store.session() as session:
        run = import_results(session, "hf://datasets/lab/tiny", run="theirs")
        assert run.configuration["file"] == f"hf://datasets/lab/tiny@{NEXT}"
        assert list(export_results(session, get_run(session, "theirs"))) == [record]
