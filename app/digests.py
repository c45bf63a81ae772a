"""What tells contents apart: the hash of a file, and that of a corpus, which binds an index to the store's passages."""

import hashlib
import json
from pathlib import Path

from app.words.roles import Lesson, text_of


class CorpusDigest:
    """SHA-256 over the ids and texts of a corpus in order, and who says what in those with roles: the same corpus has the
    same hash anywhere."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, identifier: str, passage: Lesson) -> None:
        """Take in the next passage."""
        roles = [] if isinstance(passage, str) else [json.dumps(passage.as_list(), ensure_ascii=False)]
        for part in (identifier, text_of(passage), *roles):
            content = part.encode("utf-8", "surrogatepass")
            self._sha.update(len(content).to_bytes(8, "big"))
            self._sha.update(content)

    def hexdigest(self) -> str:
        """The hash of all passages so far."""
        return self._sha.hexdigest()


def file_sha256(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
