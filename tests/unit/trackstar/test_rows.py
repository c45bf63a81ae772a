"""Opening an index reads none of its rows; each file is compared before it is first used; little memory is enough."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.digests import file_sha256
from app.errors import UserError
from app.retrieval.search import open_search
from app.trackstar.index import open_index
from app.trackstar.rows import MappedRows
from tests.support.indexes import index_of

ROWS = np.random.default_rng(0).normal(size=(1_000, 64)).astype(np.float32)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose checksums are taken, as they are."""
    from app.trackstar import checksums

    names: list[str] = []
    real = file_sha256

    def telling(file: Path) -> str:
        names.append(file.name)
        return real(file)

    monkeypatch.setattr(checksums, "file_sha256", telling)
    return names


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    """An index whose files are no longer too young to be noted."""
    index_of(tmp_path / "index", ROWS, shard=100)
    time.sleep(0.1)
    return tmp_path / "index"


def test_opening_reads_nothing_and_each_file_is_compared_once_for_all_processes(
    settled: Path, read: list[str]
) -> None:
    """A worker hashed 40 GB at each start before it could answer."""
    index = open_index(settled)
    assert read == []
    index.take(np.array([250, 251]))
    assert read == ["encodings-00002.npy"]
    open_search(index).search(ROWS[:1], 3)
    assert sorted(read) == [f"encodings-0000{n}.npy" for n in range(10)]
    read.clear()
    open_search(open_index(settled)).search(ROWS[:1], 3)  # as another process would
    assert read == []
    open_index(settled).verify()
    assert len(read) == 10, "asked for, they are read whatever was noted"


def same_size_and_times(file: Path) -> None:
    """Damage that a backup restored with its times: only the system's own time of change tells."""
    before = file.stat()
    file.write_bytes(file.read_bytes()[:-2] + b"\x11\x22")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchanged(file: Path) -> None:
    """Another shard of this index under its name: whole, of its size, and wrong."""
    file.write_bytes(file.with_name("encodings-00003.npy").read_bytes())


@pytest.mark.parametrize("damage", [same_size_and_times, exchanged])
@pytest.mark.parametrize("noted", [False, True], ids=["never compared", "compared before"])
@pytest.mark.parametrize("kind", ["exact", "rabitq2"])
def test_no_answer_comes_from_a_damaged_file(
    settled: Path, damage: Callable[[Path], None], noted: bool, kind: str
) -> None:
    """Nobody would see that passages are ranked by noise; what needs no row of it still answers."""
    if noted:
        open_search(open_index(settled), kind).search(ROWS[:1], 3)
    damage(settled / "encodings-00001.npy")
    index = open_index(settled)
    with pytest.raises(UserError, match=r"encodings-00001\.npy.*checksum"):
        open_search(index, kind).search(ROWS[150:151], 3)
    assert index.take(np.array([5])).astype(np.float16).tolist() == ROWS[5:6].astype(np.float16).tolist()


def test_rows_are_read_in_runs(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is told of all at once, of neighbours as one, and what follows each other comes in one read, to its place."""
    sizes: list[int] = []
    told: list[int] = []
    real = os.preadv

    def counting(file: int, rooms: list[memoryview], at: int) -> int:
        sizes.append(len(rooms[0]) // 128)
        return real(file, rooms, at)

    monkeypatch.setattr("app.trackstar.rows.NEAR", 128 * 10)
    monkeypatch.setattr("app.trackstar.rows._will_read", lambda file, at, size: told.append(size // 128))
    monkeypatch.setattr(os, "preadv", counting)
    wanted = np.array([3, 4, 9, 50, 99, 100, 420])
    taken = open_index(settled).rows.take(wanted)
    assert taken.tobytes() == ROWS[wanted].astype(np.float16).tobytes()
    assert told == [7, 1, 1, 1, 1]
    assert sizes == [2, 1, 1, 1, 1, 1]


LIMITED = """
import json, resource, sys
from pathlib import Path
import numpy as np
from app.retrieval.search import open_search
from app.trackstar.index import open_index
place, room, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
query = np.load(sys.argv[4])
open_search(open_index(place.with_name("warm")), kind).search(query, 5)  # FAISS and its threads take their room first
if room:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + room, held + room))
index = open_index(place)
print(json.dumps([part.tolist() for part in open_search(index, kind).search(query, 5)]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the address space is bounded as Linux does it")
@pytest.mark.parametrize("kind", ["exact", "rabitq2"])
def test_an_index_three_times_as_large_as_the_room_left_answers_the_same(tmp_path: Path, kind: str) -> None:
    """72 MB of rows where 24 MB of address space are left: files are mapped as they are looked at, and let go."""
    rows = np.random.default_rng(1).normal(size=(18_000, 2_048)).astype(np.float32)
    index = index_of(tmp_path / "large", rows, shard=500)
    index_of(tmp_path / "warm", rows[:600], shard=300)
    for name in ("large", "warm"):
        open_search(open_index(tmp_path / name), kind)  # codes are made without a bound
    np.save(tmp_path / "query.npy", rows[[17]])
    size = sum(shard.rows for shard in index.manifest.shards) * 2_048 * 2
    told = []
    for room in (0, size // 3):
        arguments = [tmp_path / "large", room, kind, tmp_path / "query.npy"]
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, *map(str, arguments)],
            capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    assert told[0] == told[1]
    assert told[0][1][0][0] == 17


def test_more_files_than_the_process_may_open_come_and_go(
    settled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index of ten million passages has 2,442 files, and 1,024 handles are usual."""
    monkeypatch.setattr(MappedRows, "_room", lambda self: 2)
    index = open_index(settled)
    for _ in range(2):
        assert np.concatenate(list(index.rows)).tobytes() == ROWS.astype(np.float16).tobytes()
    assert len(index.rows._mapped) == 2
