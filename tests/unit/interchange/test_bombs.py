"""Small files that ask for much: refused by name, at once, whichever way they come in, and before memory or disk is full."""

import gzip
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import UserError
from app.interchange.records import Bounds, Reading, read_records, weigh
from tests.support import bombs
from tests.support.bombs import MB, write
from tests.support.pair_files import record

SMALL = Bounds(line=1 * MB, free=1 * MB)


def refused(path: Path, bounds: Bounds = SMALL, **how: Any) -> UserError:
    """The error, which names the file."""
    with pytest.raises(UserError) as caught:
        for _ in read_records(path, Reading(bounds=bounds, **how)):
            pass
    assert str(path) in str(caught.value.file)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("pack", bombs.PACKS)
def test_what_is_compressed_many_times_over_is_refused_in_every_packing(tmp_path: Path, pack: str) -> None:
    found = refused(write(tmp_path / f"a.jsonl.{pack}", bombs.one_line(pack, 16 * MB)))
    assert found.message in (
        "The line is longer than 1 MB.",
        "More than 500 bytes come out of the file for each that is in it.",
    )
    path = write(tmp_path / f"b.jsonl.{pack}", bombs.many_lines(pack, 12 * MB))
    assert "bytes come out of the file" in refused(path, Bounds(free=MB, ratio=100)).message
    # Once more in another: what counts is the file that was sent.
    path = write(tmp_path / f"c.jsonl.gz.{pack}", bombs.PACKS[pack](bombs.many_lines("gz", 12 * MB)))
    assert "bytes come out of the file" in refused(path, Bounds(free=MB, ratio=100)).message


def test_archives_count_as_a_whole(tmp_path: Path) -> None:
    """Every file in it is innocent; all are the same bytes."""
    path = write(tmp_path / "a.zip", bombs.overlapping())
    assert "bytes come out of the file" in refused(path).message
    path = write(tmp_path / "b.zip", bombs.long_directory())
    assert "directory is longer" in refused(path).message


@pytest.mark.parametrize("make", [bombs.repeated_text, bombs.one_cell])
def test_tables_are_measured_before_they_are_spelled_out(tmp_path: Path, make: Callable[..., bytes]) -> None:
    path = write(tmp_path / "a.parquet", make(size=8 * MB))
    assert "bytes come out of the file" in refused(path, Bounds(free=MB)).message
    path = write(tmp_path / "b.parquet", make(size=2 * MB))
    assert "The row is longer than 1 MB" in refused(path, Bounds(line=MB)).message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"text": ' + b"[" * 900_000, "nested deeper"),
        (b'{"a":' * 200_000, "nested deeper"),
        (b'{"text": "x", "v": [' + b"[]," * 500_000 + b"[]]}", "more than 1,000,000 values"),
        (b'[{"text": "x", "v": [' + b"{}," * 600_000 + b"{}]}]", "more than 1,000,000 values"),
        (b"{" + b",".join(b'"f%d":1' % n for n in range(3000)) + b"}", "more than 2,000 fields"),
        (b"id," + b",".join(b"f%d" % n for n in range(3000)) + b"\n", "more than 2,000 fields"),
        (b'{"text": "x", "n": 1' + b"0" * 5000 + b"}", "not JSON"),
        (b'{"text": "x", "n": 1e999999}', "too large a number"),
        (b'{"text": "x", "n": ' + b"9" * 900_000 + b"}", "not JSON"),
        (b"id,text\n" + b"1," + b"a" * (2 * MB), "The row is longer"),
        (b"id,text\n" + b'1,"' + b"a\n" * MB + b'"', "The row is longer"),
        (b"a word\n" * 200_000, "The passage is longer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_deep_wide_or_long_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    bounds = Bounds(line=4 * MB if "values" in said else MB)
    texts = {"passages": "paragraph"} if "passage" in said else {}
    assert said in refused(write(tmp_path / "a", content), bounds, **texts).message


def test_a_long_text_is_no_bomb(tmp_path: Path) -> None:
    """A book on one line has more commas and brackets than a record has values."""
    text = 'He said: "[{no}]", ' * 200_000
    path = write(tmp_path / "a.jsonl", json.dumps({"text": text}).encode())
    assert [line.record["text"] for line in read_records(path)] == [text]


WAYS = ("corpus add", "prompts add", "import")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [bombs.one_line, bombs.many_lines])
def test_both_bombs_are_refused_whichever_way_they_come_in(
    run: Any, tmp_path: Path, way: str, make: Callable[[], bytes]
) -> None:
    """A megabyte that is one line of a gigabyte took 4.2 GB of memory."""
    path = write(tmp_path / "bomb.jsonl.gz", make())
    assert path.stat().st_size < 2 * MB
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    said = run(*way.split(), path, *(("--run", "bomb") if way == "import" else ()))
    took = time.process_time() - started  # a busy machine's clock says nothing of the reader
    assert said.exit_code == 2
    assert "bomb.jsonl.gz" in said.output
    assert took < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_records_that_are_never_alike_are_refused(run: Any, tmp_path: Path) -> None:
    """Each new name of a field is looked up among all that are known."""
    lines = [json.dumps(record(n) | {f"mine {n} {m}": 1 for m in range(500)}) for n in range(6)]
    said = run("import", write(tmp_path / "a.jsonl", "\n".join(lines).encode()), "--run", "odd")
    assert said.exit_code == 2
    assert "different fields" in said.output


def test_a_file_is_weighed_before_it_is_taken_in(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(gzip.compress(b"x" * 5000)))
    assert weigh(path, SMALL) == 5000
    with pytest.raises(UserError, match="come out of the compressed file"):
        weigh(path, Bounds(total=4000))
