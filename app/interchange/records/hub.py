"""Data sets named on the hub: `hf://datasets/OWNER/NAME@REVISION/folder`, file after file, at one revision.

The revision is looked up once and pinned: all files are of the same commit, and it stands in the name of each source.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from app.errors import UserError
from app.interchange.records.record_file import RecordFile, is_data, natural, of_split

HUB = "hf://"
_COMMIT = re.compile("[0-9a-f]{40}")
_FORM = f"{HUB}datasets/OWNER/NAME, with @REVISION or /FOLDER behind it if need be"


def find_on_hub(where: str, split: str) -> Iterator[RecordFile]:
    """The data files of a data set on the hub, in the order of names; each is fetched when it is read.

    Args:
        split: only files whose name says so; empty: those of `train` where there are such, else all.

    Raises:
        UserError: the name is none, there is no such data set, or the hub cannot be reached.
    """
    repository, revision, inside = _parts(where)
    info = _asked(where, repository, revision)
    sizes = {each.rfilename: each.size or 0 for each in info.siblings or []}
    names = [
        name
        for name in sorted(sizes, key=natural)
        if is_data(PurePosixPath(name)) and (not inside or name == inside or name.startswith(f"{inside}/"))
    ]
    chosen = [name for name in names if of_split(name, split or "train")]
    names = chosen if chosen or split else names
    if not names:
        raise UserError(
            "The data set has no such file.", file=where, remedy="Name another folder or --split."
        )
    for name in names:
        yield RecordFile(
            f"{HUB}datasets/{repository}@{info.sha}/{name}",
            _fetched(repository, name, str(info.sha)),
            sizes[name],
        )


def pinned(where: str) -> str:
    """The same place at the commit that its revision is now; what is not on the hub as it is.

    Raises:
        UserError: as `find_on_hub`.
    """
    if not where.startswith(HUB):
        return where
    repository, revision, inside = _parts(where)
    if revision is None or not _COMMIT.fullmatch(revision):
        revision = str(_asked(where, repository, revision).sha)
    return "/".join([f"{HUB}datasets/{repository}@{revision}", *([inside] if inside else [])])


def same_place(one: str, other: str) -> bool:
    """Whether both name the same on the hub, at whatever revision."""
    return one.startswith(HUB) and other.startswith(HUB) and _parts(one)[::2] == _parts(other)[::2]


def page_of(where: str) -> str:
    """The address at which people read of a data set on the hub, at its revision."""
    repository, revision, _ = _parts(where)
    return f"https://huggingface.co/datasets/{repository}" + (f"/tree/{revision}" if revision else "")


def _asked(where: str, repository: str, revision: str | None) -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return HfApi().dataset_info(repository, revision=revision)
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise _unreachable(where, error) from None


def _parts(where: str) -> tuple[str, str | None, str]:
    """Owner and name, revision, and the folder or file inside."""
    words = where.removeprefix(HUB).strip("/").split("/")
    if words[0] != "datasets" or len(words) < 3 or not all(words):
        raise UserError(f"{where!r} names no data set.", field="file", remedy=f"Write {_FORM}.")
    name, _, revision = words[2].partition("@")
    return f"{words[1]}/{name}", revision or None, "/".join(words[3:])


def _fetched(repository: str, name: str, revision: str) -> Callable[[], BinaryIO]:
    def open_() -> BinaryIO:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError

        try:
            path = hf_hub_download(repository, name, repo_type="dataset", revision=revision)
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise _unreachable(f"{HUB}datasets/{repository}/{name}", error) from None
        return Path(path).open("rb")

    return open_


def _unreachable(where: str, error: Any) -> UserError:
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(
        f"The hub did not give it: {said}.",
        file=where,
        remedy="Check the name, the network, and HF_TOKEN where the data set is not public.",
    )
