"""Corpora, models and indexes that lie at an address: in a folder, and in the buckets of an S3 that runs here
(`make test-places`)."""

import gzip
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from app.errors import NotFound, UserError
from app.interchange.records import read_records
from app.places import NOTE, files_at, send
from app.retrieval.search import ExactSearch
from app.runs.elsewhere import BEGUN, fetch_index, send_index
from app.runs.index_care import verify
from app.runs.taking import find_model
from app.settings import Settings
from app.trackstar.index import TrackstarIndex, open_index
from tests.support.commands import startrail
from tests.support.indexes import index_of

KINDS = ["file", "s3"] if os.environ.get("STARTRAIL_TEST_S3") else ["file"]
COUNT = itertools.count()
ROWS, SHARD, WIDTH = 200, 40, 32
SHARD_BYTES = 128 + SHARD * WIDTH * 2


@pytest.fixture(scope="module", autouse=True)
def s3() -> Iterator[None]:
    """An S3 for all tests of this file, where it is asked for."""
    if "s3" not in KINDS:
        yield
        return
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patched.setenv(name, value)
        fsspec.filesystem("s3")  # starts the thread that it keeps
        yield
    server.stop()


@pytest.fixture(params=KINDS)
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address with nothing in it."""
    if request.param == "file":
        return f"file://{tmp_path}/bucket"
    name = f"bucket-{next(COUNT)}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    return Settings()


@pytest.fixture
def index(tmp_path: Path) -> TrackstarIndex:
    rows = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    return index_of(tmp_path / "index", rows, shard=SHARD)


def nobody(done: int, total: int) -> None:
    """Watches nothing."""


def shards(place: Path) -> list[str]:
    return sorted(file.name for file in place.glob("*.npy"))


def test_records_are_read_from_where_they_lie(bucket: str, tmp_path: Path) -> None:
    """One file, a folder of shards in the order of their numbers, and what fits; notes beside them are none."""
    for number in (2, 10):
        file = tmp_path / f"part-{number}.jsonl.gz"
        file.write_bytes(gzip.compress(f'{{"text": "passage {number}"}}\n'.encode()))
        send(file, f"{bucket}/corpus/{file.name}")
    (tmp_path / "README.md").write_text("# Ours")
    send(tmp_path / "README.md", f"{bucket}/corpus/README.md")
    for where in (f"{bucket}/corpus", f"{bucket}/corpus/part-*.jsonl.gz"):
        assert [line.value("text") for line in read_records(where)] == ["passage 2", "passage 10"], where
    (only,) = read_records(f"{bucket}/corpus/part-10.jsonl.gz")
    assert only.value("text") == "passage 10"
    with pytest.raises(NotFound, match="part-3"):
        list(read_records(f"{bucket}/corpus/part-3.jsonl.gz"))


def test_a_corpus_is_added_from_an_address(bucket: str, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "towns.jsonl").write_text('{"text": "Accra lies at the sea."}\n' * 3)
    send(tmp_path / "towns.jsonl", f"{bucket}/towns.jsonl")
    added = startrail("corpus", "add", f"{bucket}/towns.jsonl")
    assert added.exit_code == 0, added.output
    assert "towns" in startrail("corpus", "list").output


def test_a_model_is_fetched_without_its_code_and_once(
    bucket: str, checkpoints: Callable[..., Path], settings: Settings, tmp_path: Path
) -> None:
    for file in checkpoints().iterdir():
        send(file, f"{bucket}/models/tiny/{file.name}")
    for name in ("modeling_tiny.py", "pytorch_model.bin"):
        (tmp_path / name).write_text("import os")
        send(tmp_path / name, f"{bucket}/models/tiny/{name}")
    found = find_model(settings, f"{bucket}/models/tiny")
    assert found.place == settings.models / "tiny"
    assert not {"modeling_tiny.py", "pytorch_model.bin"} & {file.name for file in found.place.iterdir()}
    inode = (found.place / "config.json").stat().st_ino
    assert find_model(settings, f"{bucket}/models/tiny/") == found
    assert (found.place / "config.json").stat().st_ino == inode, "it is not fetched twice"
    with pytest.raises(UserError, match="Another model is called tiny"):
        find_model(settings, f"{bucket}/others/tiny")
    with pytest.raises(UserError, match=r"no config\.json"):
        find_model(settings, f"{bucket}/models")
    assert {path.name for path in settings.models.iterdir()} == {"tiny"}, "nothing half-written"


def test_an_index_is_sent_and_fetched_whole(bucket: str, index: TrackstarIndex, tmp_path: Path) -> None:
    send_index(index.path, f"{bucket}/index", nobody)
    assert BEGUN not in {each.name for each in files_at(f"{bucket}/index")}
    fetch_index(f"{bucket}/index", tmp_path / "here", 0, nobody)
    for file in index.path.iterdir():
        assert (tmp_path / "here" / file.name).read_bytes() == file.read_bytes(), file.name
    assert verify(tmp_path / "here") == len(index.manifest.shards)


@pytest.mark.parametrize("room", [1, 2, 10])
def test_a_search_fetches_what_it_looks_at_and_keeps_what_there_is_room_for(
    bucket: str, index: TrackstarIndex, tmp_path: Path, room: int
) -> None:
    """Rows, scores and single rows are those of the index, with room for one shard of five, for two, and for all."""
    send_index(index.path, f"{bucket}/index", nobody)
    here = tmp_path / "here"
    fetch_index(f"{bucket}/index", here, room * SHARD_BYTES, nobody)
    assert shards(here) == []
    queries = np.random.default_rng(1).standard_normal((3, WIDTH)).astype(np.float32)
    placed = open_index(here)
    for got, wanted in zip(
        ExactSearch(placed).search(queries, 20), ExactSearch(index).search(queries, 20), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)
    assert len(shards(here)) == min(room, ROWS // SHARD)
    asked = np.array([0, 39, 40, 125, 199])
    np.testing.assert_array_equal(placed.take(asked), index.take(asked))
    assert len(shards(here)) <= room
    open_index(here).verify()  # what is here is compared, what is not is not missing


def test_a_part_of_an_index_fetches_its_own_shards_only(
    bucket: str, index: TrackstarIndex, tmp_path: Path
) -> None:
    """As the members of a cluster do."""
    send_index(index.path, f"{bucket}/index", nobody)
    fetch_index(f"{bucket}/index", tmp_path / "here", 10 * SHARD_BYTES, nobody)
    part = open_index(tmp_path / "here").part(1, 3)
    ExactSearch(part).search(np.ones((1, WIDTH), np.float32), 5)
    assert shards(tmp_path / "here") == [shard.file for shard in index.manifest.shards[1:3]]


def test_sending_goes_on_where_it_was_stopped(
    bucket: str, index: TrackstarIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no index at the address before all of it is there; what was sent is not sent again."""
    sent: list[str] = []
    most = 3

    def some(file: Path, address: str) -> None:
        if len(sent) == most:
            raise KeyboardInterrupt
        sent.append(file.name)
        send(file, address)

    monkeypatch.setattr("app.runs.elsewhere.send", some)
    with pytest.raises(KeyboardInterrupt):
        send_index(index.path, f"{bucket}/index", nobody)
    with pytest.raises(NotFound, match="no index"):
        fetch_index(f"{bucket}/index", index.path.parent / "here", 0, nobody)
    first, sent, most = sent, [], 100
    send_index(index.path, f"{bucket}/index", nobody)
    assert not set(first) & set(sent)
    assert len(files_at(f"{bucket}/index")) == len(index.manifest.shards) + 1


def test_another_index_at_the_address_is_not_written_over(
    bucket: str, index: TrackstarIndex, tmp_path: Path
) -> None:
    send_index(index.path, f"{bucket}/index", nobody)
    send_index(index.path, f"{bucket}/index", nobody)  # the same is there already
    other = index_of(tmp_path / "other", np.ones((4, WIDTH), np.float32))
    with pytest.raises(UserError, match="Another index"):
        send_index(other.path, f"{bucket}/index", nobody)
    with pytest.raises(UserError, match="an index other already"):
        fetch_index(f"{bucket}/index", other.path, 0, nobody)


def test_a_shard_that_is_not_what_the_manifest_says_is_named_and_not_kept(
    bucket: str, index: TrackstarIndex, tmp_path: Path
) -> None:
    send_index(index.path, f"{bucket}/index", nobody)
    file = index.path / index.manifest.shards[2].file
    damaged = tmp_path / "damaged"
    damaged.write_bytes(file.read_bytes()[:-1] + b"\x01")
    send(damaged, f"{bucket}/index/{file.name}")
    with pytest.raises(UserError, match=file.name):
        fetch_index(f"{bucket}/index", tmp_path / "here", 0, nobody)
    assert file.name not in shards(tmp_path / "here")
    send(file, f"{bucket}/index/{file.name}")
    fetch_index(f"{bucket}/index", tmp_path / "here", 0, nobody)  # goes on
    assert len(shards(tmp_path / "here")) == 5


@pytest.mark.parametrize("name", ["../../outside.npy", "/tmp/outside.npy", "a/../../outside.npy", ""])
@pytest.mark.parametrize("field", ["shards", "files"])
def test_a_manifest_cannot_have_files_written_elsewhere(
    bucket: str, index: TrackstarIndex, tmp_path: Path, name: str, field: str
) -> None:
    """A bucket is somebody else's: a shard or file by a name that leads out of the directory is refused before it is fetched."""
    send_index(index.path, f"{bucket}/index", nobody)
    manifest = json.loads((index.path / "manifest.json").read_text())
    if field == "shards":
        manifest["shards"][0]["file"] = name
    else:
        manifest["files"] = {name: "0"}
    (tmp_path / "hostile.json").write_text(json.dumps(manifest))
    send(tmp_path / "hostile.json", f"{bucket}/index/manifest.json")
    with pytest.raises(UserError, match="outside its directory"):
        fetch_index(f"{bucket}/index", tmp_path / "homes" / "deep" / "here", SHARD_BYTES, nobody)
    assert not list((tmp_path / "homes" / "deep").iterdir()), "nothing half-written"
    assert not (tmp_path / "outside.npy").exists()


def test_what_was_fetched_is_not_sent_on(bucket: str, index: TrackstarIndex, tmp_path: Path) -> None:
    send_index(index.path, f"{bucket}/index", nobody)
    fetch_index(f"{bucket}/index", tmp_path / "here", SHARD_BYTES, nobody)
    assert (tmp_path / "here" / NOTE).is_file()
    with pytest.raises(UserError, match="was fetched from"):
        send_index(tmp_path / "here", f"{bucket}/again", nobody)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nowhere", "is no address"),
        ("file:///does/not/exist", "no index at"),
        ("nothing://is/this", "Protocol not known"),
        ("gs://bucket/index", r"startrail\[gcs\]"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_clear_error(
    settings: Settings, address: str, says: str
) -> None:
    refused = startrail("fetch", address)
    assert refused.exit_code == 2, refused.output
    assert "Traceback" not in refused.output
    assert says.replace("\\", "") in " ".join(refused.output.split())
    assert not settings.indexes.exists() or not list(settings.indexes.iterdir())
