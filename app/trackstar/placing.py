"""Where an index is built: in `.NAME.building` beside its place, by one process at a time, and under its name at the end."""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.errors import Interrupted, UserError
from app.files import drop_partials, put, write_json
from app.trackstar.checksums import Checksums
from app.trackstar.fitting import DIVIDED, FITTED
from app.trackstar.manifest import IndexManifest
from app.trackstar.parts import Parts
from app.trackstar.shards import drop_notes
from app.trackstar.survey import IDS, SPOOL

PLAN = "build.json"
PrepareSearch = Callable[[Path], dict[str, Any]]


@contextmanager
def building_place(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """The directory to build the index `out` in. What was killed stays to be resumed, what was refused does not.

    Raises:
        UserError: there is an index at `out`, or another process builds it.
    """
    if out.exists() and not overwrite:
        raise UserError(
            f"There is an index at {out} already.",
            field="name",
            remedy="Choose another --name, or give --overwrite.",
        )
    work = out.with_name(f".{out.name}.building")
    work.mkdir(parents=True, exist_ok=True)
    handle = (work.parent / f"{work.name}.lock").open("w")
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"Another process is building {out.name}.", field="name", remedy="Wait for it, or stop it."
            ) from None
        try:
            yield work
        except Interrupted:
            raise
        except UserError:
            shutil.rmtree(work)  # the same command would end here again: there is nothing to resume
            raise
    finally:
        handle.close()


def start_or_resume(work: Path, plan: dict[str, Any]) -> None:
    """Keeps what an interrupted build of the very same index left; clears anything else."""
    file = work / PLAN
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) == json.loads(json.dumps(plan)):
        return
    for old in work.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        elif old.name not in (IDS, SPOOL):
            old.unlink()
    write_json(file, plan)


def finish(
    work: Path, out: Path, manifest: IndexManifest, prepare_search: PrepareSearch | None
) -> IndexManifest:
    """Make what searches the rows, drop what only building needed, and give the directory its name."""
    manifest.write(work)
    if prepare_search:
        manifest = with_search(manifest, prepare_search(work))
        manifest.write(work)
    for name in (PLAN, FITTED, DIVIDED, SPOOL):
        (work / name).unlink(missing_ok=True)
    Parts(work).drop()
    drop_notes(work)
    drop_partials(work)
    put(work, out)
    Checksums(out, manifest.checksums).remember()
    return manifest


def with_search(manifest: IndexManifest, about: Mapping[str, Any]) -> IndexManifest:
    """The manifest with what searches the rows, the checksum (`sha256`) of its `file` among the others."""
    own = {about["file"]: about["sha256"]} if "file" in about else {}
    told = {name: value for name, value in about.items() if name != "sha256"}
    return replace(manifest, search=told, files=manifest.files | own)
