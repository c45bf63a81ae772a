"""Files that lie elsewhere: `s3://BUCKET/PATH`, `gs://BUCKET/PATH`, `file:///PATH` and whatever else fsspec knows.

Who may read and write there, and by which endpoint, is what the libraries of each kind read from the environment
(`AWS_PROFILE`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, `FSSPEC_…`). They are loaded with the first address.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from app.errors import NotFound, UserError
from app.files import whole, write_json

NOTE = "place.json"  # beside what was fetched: where it lies
_ADDRESS = re.compile(r"(?!hf:|https?:)[a-z][a-z0-9+.-]*://.")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


@dataclass(frozen=True)
class PlacedFile:
    """A file that lies elsewhere, and its bytes."""

    address: str
    size: int
    _files: Any = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.address.rpartition("/")[2]

    def open(self) -> BinaryIO:
        """Its bytes from the start, fetched as they are read.

        Raises:
            UserError: it cannot be read.
        """
        with _told(self.address):
            return cast(BinaryIO, self._files.open(self.address, "rb"))

    def read(self) -> bytes:
        """All of its bytes.

        Raises:
            UserError: it cannot be read.
        """
        with _told(self.address):
            return bytes(self._files.cat_file(self.address))

    def fetch(self, file: Path) -> None:
        """Copy it to `file`, which is there whole or not at all.

        Raises:
            UserError: it cannot be read. OSError: the copy cannot be written.
        """
        with whole(file) as partial, _told(self.address):
            self._files.get_file(self.address, str(partial))


def is_address(where: str) -> bool:
    """Whether a text names a file or folder that lies elsewhere. Data sets on the hub and pages are named otherwise."""
    return bool(_ADDRESS.match(where))


def files_at(address: str) -> list[PlacedFile]:
    """The file of this address, or all files in the folder, or that fit it (`*`, `?`), by name.

    Raises:
        UserError: the address cannot be reached, or its kind needs a library that is not installed.
    """
    files = _files(address)
    with _told(address):
        if set(address) & set("*?["):
            found = files.glob(address, detail=True)
        elif files.isfile(address):
            found = {address: files.info(address)}
        else:
            found = files.find(address, detail=True)
    return [
        PlacedFile(files.unstrip_protocol(path), int(about.get("size") or 0), files)
        for path, about in sorted(found.items())
        if about.get("type") == "file" and not path.endswith("/")
    ]


def file_at(address: str) -> PlacedFile | None:
    """The file of this address; None where there is none.

    Raises:
        UserError: as `files_at`.
    """
    files = _files(address)
    with _told(address):
        if not files.isfile(address):
            return None
        return PlacedFile(address, int(files.info(address).get("size") or 0), files)


def send(file: Path, address: str) -> None:
    """Copy a file to an address, over what is there.

    Raises:
        UserError: it cannot be written there. OSError: the file cannot be read.
    """
    files = _files(address)
    with _told(address):
        files.makedirs(address.rpartition("/")[0], exist_ok=True)
        files.put_file(str(file), address)


def send_text(text: str, address: str) -> None:
    """Write a small file at an address, over what is there.

    Raises:
        UserError: it cannot be written there.
    """
    files = _files(address)
    with _told(address):
        files.makedirs(address.rpartition("/")[0], exist_ok=True)
        files.pipe_file(address, text.encode())


def remove(address: str) -> None:
    """Remove the file of this address.

    Raises:
        UserError: it cannot be removed.
    """
    files = _files(address)
    with _told(address):
        files.rm_file(address)


def note_address(directory: Path, address: str, **more: int) -> None:
    """Write down where what is in a directory was fetched from, and `more` of how."""
    write_json(directory / NOTE, {"address": address, **more})


def noted_address(directory: Path) -> dict[str, Any]:
    """What `note_address` wrote, with `address`; empty where what is in the directory was not fetched."""
    try:
        noted = json.loads((directory / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) and isinstance(noted.get("address"), str) else {}


def _files(address: str) -> Any:
    import fsspec

    with _told(address):
        return fsspec.core.url_to_fs(address, use_listings_cache=False)[0]


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Each kind's library has errors of its own."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        kind = address.partition("://")[0]
        package = f"'startrail[{_EXTRAS[kind]}]'" if kind in _EXTRAS else "what it names"
        raise UserError(
            f"{kind}:// is not read here: {str(error).rstrip('.')}.",
            file=address,
            remedy=f"pip install {package}",
        ) from None
    except FileNotFoundError:
        missing = NotFound(
            "There is nothing at this address.", remedy="Check it, and whether it may be listed."
        )
        missing.file = address
        raise missing from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename and Path(str(error.filename)).is_absolute():
            raise  # of a file on this machine
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"This address did not answer as it should: {said}.",
            file=address,
            remedy="Check the address, and the credentials and the endpoint in the environment.",
        ) from None
