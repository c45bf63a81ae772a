"""Where records are: files, globs, folders of shards, archives, saved data sets, addresses, the hub, standard input."""

import io
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

from app.errors import NotFound, UserError
from app.interchange.records.hub import HUB, find_on_hub
from app.interchange.records.record_file import RecordFile, is_data, natural, of_split
from app.interchange.records.streams import SIP, Packed
from app.places import files_at, is_address

STDIN = "-"
DIRECTORY = 8 << 20  # bytes of an archive's list of what is in it: some hundred thousand files


def find(where: Sequence[Path | str], *, split: str = "") -> list[RecordFile]:
    """Every file of records that is meant, in the order given, of a folder or glob in the order of names.

    Args:
        where: paths, globs, folders, archives, addresses (`s3://…`), `hf://datasets/OWNER/NAME`, `-` for standard input.
        split: of data sets with several, only this one.

    Raises:
        NotFound: nothing is there. UserError: it cannot be read.
    """
    found = [source for each in where for source in _found(str(each), split)]
    if not found:
        raise UserError(
            "There is no file of records.", remedy="Name a file, a folder, or - for standard input."
        )
    return found


def names_files(where: str) -> bool:
    """Whether this is meant as files of records: there is such a path, or it can be nothing else."""
    return where == STDIN or where.startswith(HUB) or bool(set(where) & set("*?[/")) or Path(where).exists()


def _found(where: str, split: str) -> Iterator[RecordFile]:
    path = Path(where)
    if where == STDIN:
        yield RecordFile("standard input", lambda: cast(BinaryIO, sys.stdin.buffer), once=True)
    elif where.startswith(HUB):
        yield from find_on_hub(where, split)
    elif is_address(where):
        yield from _elsewhere(where, split)
    elif path.is_dir():
        yield from _folder(path, split)
    elif path.exists():
        if split and not of_split(path.name, split):
            raise UserError(
                f"The name of the file does not say that it is of the split “{split}”.",
                file=path,
                remedy="Leave --split out, or name the folder.",
            )
        yield from _file(path)
    elif set(where) & set("*?["):
        found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))), key=natural)
        matches = [each for each in found if each.is_dir() or not split or of_split(each.name, split)]
        if not matches:
            raise missing(where)
        for match in matches:
            yield from _found(str(match), split)
    else:
        raise missing(where)


def _elsewhere(where: str, split: str) -> Iterator[RecordFile]:
    """Files at an address, each fetched as it is read."""
    found = files_at(where)
    inside = [each for each in found if is_data(PurePath(each.address.removeprefix(where)))]
    files = [
        each
        for each in sorted(inside or found, key=lambda each: natural(each.address))
        if not split or of_split(each.address, split)
    ]
    if not files:
        raise missing(where)
    for each in files:
        if each.name.lower().endswith(".zip"):
            raise UserError(
                "An archive is read from a disk.",
                file=each.address,
                remedy="Fetch it, or put its files there.",
            )
        yield RecordFile(each.address, each.open, each.size)


def missing(where: str) -> NotFound:
    """The error for a path that leads nowhere."""
    error = NotFound("There is no such file.", remedy="Check the path.")
    error.file = where
    return error


def _file(path: Path) -> Iterator[RecordFile]:
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    if zipped:
        yield from _archive(path)
    else:
        yield RecordFile(path, lambda: path.open("rb"), path.stat().st_size if path.is_file() else 0)


def _archive(path: Path) -> Iterator[RecordFile]:
    try:
        with _Archive(path) as file, zipfile.ZipFile(file) as archive:
            members = [
                each for each in archive.infolist() if not each.is_dir() and is_data(PurePath(each.filename))
            ]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(
            f"The archive breaks off or is damaged ({error}).", file=path, remedy="Fetch or make it again."
        ) from None
    if any(PurePath(member.filename).name == "data.pkl" for member in members):
        raise UserError(
            "This is a file of PyTorch.", file=path, remedy="Give the records as JSON Lines or Parquet."
        )
    size, read = path.stat().st_size, Counter[str]()
    # Of all together, and no more than there is: members may stand in one another.
    packed = Packed(lambda: min(size, read["bytes"]))
    for member in sorted(members, key=lambda each: natural(each.filename)):
        name = f"{path}/{member.filename}"
        yield RecordFile(name, _member(path, member, name, read), member.compress_size, archive=packed)


class _Archive(io.BufferedReader):
    """A ZIP file, whose directory is read at once, however long it says that this is; counts the bytes read."""

    def __init__(self, path: Path, read: Counter[str] | None = None) -> None:
        super().__init__(path.open("rb", buffering=0))
        self._path, self._read = path, Counter[str]() if read is None else read

    def read(self, size: int | None = -1, /) -> bytes:
        """As every file.

        Raises:
            UserError: the directory is asked for, and it is too long.
        """
        if size is not None and size > DIRECTORY:
            raise UserError(
                f"The archive's directory is longer than {DIRECTORY >> 20} MB.",
                file=self._path,
                remedy="Unpack it, and give the folder.",
            )
        data = super().read(size)
        self._read["bytes"] += len(data)
        return data


class _Member(io.RawIOBase):
    """One file in an archive, which is closed with it."""

    def __init__(self, path: Path, member: zipfile.ZipInfo, read: Counter[str]) -> None:
        before = read["bytes"]
        with ExitStack() as opened:
            archive = zipfile.ZipFile(opened.enter_context(_Archive(path, read)))
            opened.enter_context(archive)
            read["bytes"] = before  # the directory does not count
            self._file = opened.enter_context(archive.open(member))
            self._opened = opened.pop_all()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As every raw stream."""
        data = self._file.read(min(len(buffer), SIP))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """The archive too."""
        self._opened.close()
        super().close()


def _member(path: Path, member: zipfile.ZipInfo, name: str, read: Counter[str]) -> Callable[[], BinaryIO]:
    def open_() -> BinaryIO:
        try:
            return cast(BinaryIO, _Member(path, member, read))
        except (
            RuntimeError,
            zipfile.BadZipFile,
        ) as error:  # a password, a way of packing that Python has not
            raise UserError(
                f"It cannot be unpacked: {str(error).rstrip('.')}.",
                file=name,
                remedy="Unpack it, and give the folder.",
            ) from None

    return open_


def _folder(path: Path, split: str) -> Iterator[RecordFile]:
    if (path / "state.json").is_file():
        yield from _saved(path)
        return
    splits = _splits(path)
    if splits:
        if split and split not in splits:
            raise UserError(
                f"The data set has no split “{split}”.",
                file=path,
                field="split",
                remedy=f"There are {', '.join(splits)}.",
            )
        for name in [split] if split else splits:
            yield from _saved(path / name)
        return
    inside = [each for each in path.rglob("*") if each.is_file() and is_data(each.relative_to(path))]
    if split:
        inside = [each for each in inside if of_split(str(each.relative_to(path)), split)]
    if not inside:
        raise UserError(
            f"The folder has no file of records{f' of the split “{split}”' if split else ''}.",
            file=path,
            remedy="Name the file, or another folder.",
        )
    for each in sorted(inside, key=lambda each: natural(each.relative_to(path))):
        yield from _file(each)


def _splits(path: Path) -> list[str]:
    """The splits of a data set saved on disk, in its own order."""
    try:
        named = json.loads((path / "dataset_dict.json").read_bytes())["splits"]
        return [each for each in named if (path / each / "state.json").is_file()]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return sorted(part.parent.name for part in path.glob("*/state.json"))


def _saved(path: Path) -> Iterator[RecordFile]:
    """What `datasets` saves: `state.json` names the Arrow files in order."""
    state = path / "state.json"
    try:
        saved = json.loads(state.read_text(encoding="utf-8"))
        files = [path / entry["filename"] for entry in saved["_data_files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"It cannot be read: {error}.", file=state, remedy="Save the data set again."
        ) from None
    if saved.get("_indices_data_files"):
        raise UserError(
            "The data set was saved with a selection of its rows.",
            file=path,
            remedy="Call flatten_indices() before save_to_disk().",
        )
    for shard in files:
        if not shard.is_file():
            raise UserError(
                "This file of the data set is missing.", file=shard, remedy="Copy the data set again."
            )
        yield from _file(shard)
