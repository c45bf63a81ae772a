"""A file or directory is written whole or not at all, and there is one way to do it."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from app.files import ABANDONED, drop_partials, json_line, put, whole, write_bytes, write_json

APP = Path(__file__).parents[2] / "app"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def break_off(path: Path, error: BaseException) -> None:
    """Half a file, and then the end."""
    with whole(path) as partial:
        partial.write_text("half of this we")
        raise error


def test_a_file_that_could_not_be_finished_leaves_what_was_there(tmp_path: Path) -> None:
    """A full disk in the middle of an export must not cost last week's."""
    file = tmp_path / "run.jsonl"
    file.write_text("last week's")
    with pytest.raises(OSError, match="No space"):
        break_off(file, OSError("No space left on device"))
    assert file.read_text() == "last week's"
    assert names(tmp_path) == ["run.jsonl"]


def test_a_directory_takes_the_place_of_another_only_when_it_is_whole(tmp_path: Path) -> None:
    model = tmp_path / "model"
    with whole(model) as partial:
        (partial / "deep").mkdir(parents=True)
        (partial / "deep" / "weights").write_text("one")
    with pytest.raises(KeyboardInterrupt):
        break_off(model / "deep" / "weights", KeyboardInterrupt())
    assert (model / "deep" / "weights").read_text() == "one"
    with whole(model) as partial:
        partial.mkdir()
        (partial / "weights").write_text("two")
        assert (model / "deep" / "weights").read_text() == "one"  # readers still see the old one
    assert names(tmp_path) == ["model"]
    assert names(model) == ["weights"]


def test_a_directory_that_was_made_over_days_gets_its_name_last(tmp_path: Path) -> None:
    """An index that is resumed after a crash is built under a name of its own."""
    built, index = tmp_path / ".demo.building", tmp_path / "demo"
    built.mkdir()
    (built / "rows").write_text("new")
    (built / "gone").symlink_to(tmp_path / "nowhere")  # a link into nothing is no reason to fail
    index.mkdir()
    (index / "rows").write_text("old")
    put(built, index)
    assert names(tmp_path) == ["demo"]
    assert (index / "rows").read_text() == "new"


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    with whole(file) as first:
        first.write_text("first, and a long line")
        with whole(file) as second:
            second.write_text("second")
    assert file.read_text() == "first, and a long line"
    assert names(tmp_path) == ["job.json"]


def test_what_a_killed_process_left_is_swept_by_the_next_one(tmp_path: Path) -> None:
    """Of this file only, and only what nobody can be writing any more."""
    file = tmp_path / "a[1].json"
    left = tmp_path / ".a[1].json.0123abcd.partial"
    fresh = tmp_path / ".a[1].json.4567abcd.partial"
    other = tmp_path / ".b.json.0123abcd.partial"
    for path in (left, fresh, other):
        path.write_text("half")
    long_ago = time.time() - ABANDONED - 60
    os.utime(left, (long_ago, long_ago))
    os.utime(other, (long_ago, long_ago))
    write_bytes(file, b"whole")
    assert names(tmp_path) == sorted([file.name, fresh.name, other.name])
    drop_partials(tmp_path)
    assert names(tmp_path) == [file.name]


def test_a_device_is_written_to_not_replaced(tmp_path: Path) -> None:
    """`startrail export RUN -o /dev/null`, given by root, put a file where the device was."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_the_same_value_gives_the_same_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": "é"})
    write_json(tmp_path / "b", {"a": "é", "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "é" in (tmp_path / "a").read_text(encoding="utf-8")


def test_half_a_character_is_written_and_read_again(tmp_path: Path) -> None:
    """Texts of the web have some, and UTF-8 has no bytes for them: an outcome was lost after hours of work."""
    value = {"said": "half \ud83d of it", "é": 1}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_bytes()) == value
    assert json.loads(json_line(value)) == value
    assert "é" in json_line({"é": 1}).decode(), "whatever UTF-8 has stands as it is"


def test_nothing_else_renames_a_file_into_place() -> None:
    """There were thirteen spellings of it, five without fsync. The way is `app.files`."""
    renames = re.compile(r"os\.(replace|rename)\(|\.rename\(|\bpartial\.replace\(|fsync\(")
    found = [
        f"{path.relative_to(APP)}: {line.strip()}"
        for path in sorted(APP.rglob("*.py"))
        if path != APP / "files.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if renames.search(line)
    ]
    assert found == []
