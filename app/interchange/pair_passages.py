"""The passages of a results file: found again in the store by id and text, or added to it.

Where two texts come under one id, the second gets the id with a hash of its text behind it, the same in every file.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.interchange.fields import Parsed
from app.store.chunks import chunks
from app.store.search import NEW_PASSAGES
from app.store.tables import Corpus, Passage
from app.store.writing import insert_rows, new_ids

ASKED = 500  # ids asked for in one query
REMEMBERED = 400_000  # passages whose ids are kept in memory
_COLUMNS = ("id", "corpus_id", "position", "external_id", "text", "meta")
Key = tuple[str, str | int]  # external id, and the hash of the text or, where only the id is known, ""


def digest(*parts: str) -> str:
    """Ten hexadecimal digits that tell contents apart."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:10]


class Passages:
    """The passages of a corpus by id and text. A corpus with a hash is complete and takes in no more."""

    def __init__(self, session: Session, corpus: Corpus) -> None:
        self._session, self._corpus = session, corpus
        self._known: dict[Key, tuple[int, str]] = {}  # (external id, text's hash) -> row
        last = select(func.max(Passage.position)).where(Passage.corpus_id == corpus.id)
        found = session.scalar(last)
        self._next = 0 if found is None else found + 1

    def ids(self, records: Sequence[Parsed]) -> dict[tuple[int, str], list[tuple[int, str]]]:
        """(place of the record, side) -> id and external id of each passage, in rank order."""
        if len(self._known) > REMEMBERED:
            self._known.clear()
        wanted: dict[tuple[int, str], list[tuple[str, str | None]]] = {}
        for at, parsed in enumerate(records):
            for side, columns in parsed.sides.items():
                texts = columns.get("text") or [None] * len(columns["external_id"])
                names = columns.get("external_id") or [f"text:{digest(text)}" for text in texts]
                wanted[at, side] = list(zip(names, texts, strict=True))
        missing = {
            _key(*each): each for found in wanted.values() for each in found if _key(*each) not in self._known
        }
        if missing:
            self._find(missing)
            left = {key: each for key, each in missing.items() if key not in self._known}
            self._add(left, wanted, records)
        return {place: [self._known[_key(*each)] for each in found] for place, found in wanted.items()}

    def _find(self, missing: dict[Key, tuple[str, str | None]]) -> None:
        """What the store has, under the id itself or the one with the hash behind it."""
        for piece in chunks(missing.items(), ASKED):
            rows = self._named([name for _, (name, _) in piece])
            again = [
                f"{name}#{digest(text)}" for _, (name, text) in piece if text is not None and name in rows
            ]
            rows |= self._named(again) if again else {}
            for key, (name, text) in piece:
                for external in (name, f"{name}#{digest(text)}" if text is not None and name in rows else ""):
                    if external in rows and text in (None, rows[external][1]):
                        self._known[key] = (rows[external][0], external)
                        break

    def _named(self, names: Sequence[str]) -> dict[str, tuple[int, str]]:
        query = select(Passage.external_id, Passage.id, Passage.text).where(
            Passage.corpus_id == self._corpus.id, Passage.external_id.in_(names)
        )
        return {external: (id_, text) for external, id_, text in self._session.execute(query)}

    def _add(
        self,
        new: dict[Key, tuple[str, str | None]],
        wanted: dict[tuple[int, str], list[tuple[str, str | None]]],
        records: Sequence[Parsed],
    ) -> None:
        if not new:
            return
        textless = next((key for key, (_, text) in new.items() if text is None), None)
        if textless is not None or self._corpus.sha256:
            raise self._unknown(textless or next(iter(new)), wanted, records)
        taken = self._named([name for name, _ in new.values()])
        rows: dict[str, tuple[Any, ...]] = {}
        ids = new_ids(self._session, Passage, len(new))
        for id_, (key, (name, text)) in zip(ids, new.items(), strict=True):
            external = f"{name}#{digest(str(text))}" if name in taken or name in rows else name
            rows[external] = (id_, self._corpus.id, self._next, external, text, {})
            self._known[key] = (id_, external)
            self._next += 1
        insert_rows(self._session, Passage, _COLUMNS, rows.values())
        self._session.info[NEW_PASSAGES] = True

    def _unknown(
        self,
        key: Key,
        wanted: dict[tuple[int, str], list[tuple[str, str | None]]],
        records: Sequence[Parsed],
    ) -> UserError:
        at, side = next(place for place, found in wanted.items() if key in {_key(*each) for each in found})
        name, text = next(each for each in wanted[at, side] if _key(*each) == key)
        what = "is not in" if text is None else "is not, or not with this text, in"
        return records[at].line.wrong(
            f"{side}_ids" if text is None else f"{side}s",
            f"The passage “{name}” {what} the corpus “{self._corpus.name}”.",
            "Name the corpus it comes from with --corpus, or leave --corpus out and give every passage's text.",
        )

    def finish(self) -> None:
        """Bring the corpus's own count up to date."""
        self._corpus.passage_count = self._next


def _key(name: str, text: str | None) -> Key:
    return name, "" if text is None else hash(text)
