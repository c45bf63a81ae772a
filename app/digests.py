"""What tells contents apart: the hash of a file, and that of a corpus, which binds an index to the store's passages."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


class CorpusDigest:
    """SHA-256 over the ids and texts of a corpus in order: the same corpus has the same hash anywhere."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, identifier: str, *contents: str) -> None:
        """Take in the next passage: its text, and what else decides what it is (`app.words.roles.contents`)."""
        for part in (identifier, *contents):
            content = part.encode("utf-8", "surrogatepass")
            self._sha.update(len(content).to_bytes(8, "big"))
            self._sha.update(content)

    def hexdigest(self) -> str:
        """The hash of all passages so far."""
        return self._sha.hexdigest()


def ids_sha256(ids: Iterable[str]) -> str:
    """SHA-256 over ids in their order, a line each."""
    lines = "".join(f"{id_}\n" for id_ in ids)
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def folder_sha256(folder: Path) -> str:
    """SHA-256 over the names and bytes of the files in a folder, not of those in folders below it."""
    digest = hashlib.sha256()
    for file in sorted(each for each in folder.iterdir() if each.is_file()):
        digest.update(file.name.encode() + b"\0" + bytes.fromhex(file_sha256(file)))
    return digest.hexdigest()


def file_sha256(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
