"""A file or directory is written whole or not at all.

What is written goes under a temporary name in the same directory, reaches the disk, and takes its own name last.
A reader therefore sees what was there before or what is new, also after a power cut, and never a part.
"""

import glob
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL = ".partial"
ABANDONED = 24 * 3600  # seconds after which a partial is what a killed process left


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path to write a file or a directory to; it takes the name `path` when the block ends well.

    What had that name goes only then, and stays if the block raises. A device or a pipe (`/dev/null`) has no parts:
    it is yielded as it is. Two processes may write the same path at once; the last one's stays.

    Raises:
        OSError: it cannot be written, or not renamed.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    _sweep(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        yield partial
        put(partial, path)
    finally:
        _remove(partial)


def put(made: Path, path: Path) -> None:
    """Give what is written at `made` the name `path`, once it is on the disk; what had that name goes last.

    Raises:
        OSError: it cannot be renamed.
    """
    _reach_disk(made)
    if made.is_dir() and path.exists():  # a directory that is not empty cannot be renamed over
        old = path.with_name(f".{path.name}.{secrets.token_hex(4)}.old{PARTIAL}")
        path.rename(old)
        made.rename(path)
        _remove(old)
    else:
        made.replace(path)
    _sync(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file's content, whole or not at all."""
    with whole(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and machines: sorted, indented, the same value gives the same bytes."""
    write_bytes(path, json_encoded(value, indent=1, sort_keys=True) + b"\n")


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add a line to a JSON Lines file, after whatever a kill left of one; it has reached the disk then."""
    with path.open("a+b") as out:
        out.seek(0)
        content = out.read()
        if content and not content.endswith(b"\n"):
            out.truncate(content.rfind(b"\n") + 1)
        out.write(json_line(record))
        out.flush()
        os.fsync(out.fileno())


def json_line(record: Mapping[str, Any]) -> bytes:
    """One line of a JSON Lines file, see `json_encoded`."""
    return json_encoded(record, separators=(",", ":")) + b"\n"


def json_encoded(value: Any, **form: Any) -> bytes:
    """JSON in UTF-8, nothing lost: escaped where a lone surrogate has no UTF-8. `form`: as `json.dumps` takes it."""
    try:
        return json.dumps(value, ensure_ascii=False, **form).encode()
    except UnicodeEncodeError:
        return json.dumps(value, **form).encode()


def drop_partials(directory: Path) -> None:
    """Remove what killed writers left in a directory in which nobody else writes."""
    for left in directory.glob(f".*{PARTIAL}"):
        _remove(left)


def _sweep(path: Path) -> None:
    """Remove what was left long ago by those who were killed while they wrote this path."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{PARTIAL}"):
        try:
            if time.time() - left.stat().st_mtime > ABANDONED:
                _remove(left)
        except OSError:  # another process swept it
            continue


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _reach_disk(path: Path) -> None:
    if path.is_dir():
        for inside in path.rglob("*"):
            if not inside.is_symlink():
                _sync(inside)
    _sync(path)


def _sync(path: Path) -> None:
    """Ask that a file's bytes, or a directory's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
