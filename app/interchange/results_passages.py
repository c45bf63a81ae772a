"""The passages of a results file: found again in the store by id and text, or added to it.

Where two texts come under one id, the second gets the id with a hash of its text behind it, the same in every file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.interchange.results_parse import Parsed
from app.store.chunks import chunks
from app.store.denied import Denylist
from app.store.full_text import NEW_TEXTS
from app.store.tables import Corpus, Passage
from app.store.writing import insert_rows, new_ids

ASKED = 500  # ids asked for in one query
REMEMBERED = 50_000  # passages whose ids are kept in memory
_COLUMNS = ("id", "corpus_id", "position", "external_id", "text", "meta")
Key = tuple[str, int | None]  # id in the file, and hash of the text; None where the file gives no text


def digest(*parts: str) -> str:
    """Sixteen hexadecimal digits that tell contents apart."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class _Wanted:
    """The passages of one side of one record, in rank order."""

    keys: list[Key]
    names: Sequence[str]
    texts: Sequence[str | None]


class PassageMatcher:
    """The passages of a corpus by id and text. A corpus with a hash is complete and takes in no more."""

    def __init__(self, session: Session, corpus: Corpus) -> None:
        self._session, self._corpus = session, corpus
        self._known: dict[Key, tuple[int, str]] = {}  # -> id, external id
        self._names: set[str] = set()  # external ids of all in `_known`
        last = session.scalar(select(func.max(Passage.position)).where(Passage.corpus_id == corpus.id))
        self.next = 0 if last is None else last + 1
        self._denied = Denylist(session, "passage")
        self._all_known = last is None  # nothing is in the store that is not in memory

    def ids(self, records: Sequence[Parsed]) -> dict[tuple[int, str], list[tuple[int, str]]]:
        """(place of the record, side) -> id and external id of each passage, in rank order."""
        if len(self._known) > REMEMBERED:
            self._known.clear()
            self._names.clear()
            self._all_known = False
        wanted = {
            (at, side): _want(columns, self._denied)
            for at, parsed in enumerate(records)
            for side, columns in parsed.sides.items()
        }
        missing = {
            key: (name, text)
            for each in wanted.values()
            for key, name, text in zip(each.keys, each.names, each.texts, strict=True)
            if key not in self._known
        }
        if missing and not self._all_known:
            self._find(missing)
            missing = {key: each for key, each in missing.items() if key not in self._known}
        if missing:
            unknown = next((key for key, (_, text) in missing.items() if text is None), None)
            if unknown or self._corpus.sha256:
                raise self._unknown(unknown or next(iter(missing)), wanted, records)
            self._add(missing)
        return {place: list(map(self._known.__getitem__, each.keys)) for place, each in wanted.items()}

    def _find(self, missing: Mapping[Key, tuple[str, str | None]]) -> None:
        """What the store has, under the id itself or the one with the hash behind it."""
        for piece in chunks(missing.items(), ASKED):
            rows = self._named([name for _, (name, _) in piece])
            again = [
                f"{name}#{digest(text)}" for _, (name, text) in piece if text is not None and name in rows
            ]
            rows |= self._named(again) if again else {}
            self._names |= rows.keys()
            for key, (name, text) in piece:
                for external in (name, *([f"{name}#{digest(text)}"] if text is not None and again else [])):
                    if external in rows and text in (None, rows[external][1]):
                        self._known[key] = (rows[external][0], external)
                        break

    def _named(self, names: Sequence[str]) -> dict[str, tuple[int, str]]:
        query = select(Passage.external_id, Passage.id, Passage.text).where(
            Passage.corpus_id == self._corpus.id, Passage.external_id.in_(names)
        )
        return {external: (id_, text) for external, id_, text in self._session.execute(query)}

    def _add(self, new: Mapping[Key, tuple[str, str | None]]) -> None:
        rows: list[tuple[Any, ...]] = []
        meta: dict[str, Any] = {}
        for id_, (key, (name, text)) in zip(
            new_ids(self._session, Passage, len(new)), new.items(), strict=True
        ):
            external = f"{name}#{digest(str(text))}" if name in self._names else name
            self._names.add(external)
            rows.append((id_, self._corpus.id, self.next, external, text, meta))
            self._known[key] = (id_, external)
            self.next += 1
        insert_rows(self._session, Passage, _COLUMNS, rows)
        self._session.info[NEW_TEXTS] = True

    def _unknown(
        self, key: Key, wanted: Mapping[tuple[int, str], _Wanted], records: Sequence[Parsed]
    ) -> UserError:
        (at, side), each = next((place, each) for place, each in wanted.items() if key in each.keys)
        textless = each.texts[each.keys.index(key)] is None
        return records[at].line.wrong(
            f"{side}_ids" if textless else f"{side}s",
            f"The passage “{key[0]}” is not{'' if textless else ', or not with this text,'} in the corpus"
            f" “{self._corpus.name}”.",
            "Name the corpus it comes from with --corpus, or leave --corpus out and give every passage's text.",
        )

    def finish(self) -> None:
        """Bring the corpus's own count up to date."""
        self._corpus.passage_count = self.next


def _want(columns: Mapping[str, Sequence[Any]], denied: Denylist) -> _Wanted:
    texts = columns.get("text")
    if texts is not None:
        texts = list(map(denied.let_in, texts))
    names = columns.get("external_id")
    if texts is None:
        assert names is not None  # `parse` asks for one of them
        return _Wanted([(name, None) for name in names], names, [None] * len(names))
    if names is None:
        names = [f"text:{digest(text)}" for text in texts]
    return _Wanted(list(zip(names, map(hash, texts), strict=True)), names, texts)
