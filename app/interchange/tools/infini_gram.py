"""Answers of infini-gram's first API (api.infini-gram.io): documents that have a query word for word, cut at the query's places.

One answer of `search_docs` has several documents and the query's tokens; one of `get_doc_by_rank` or `get_doc_by_ptr` is a
document, and answers to one query stand one below the other. Documents come as pieces, [text, clause] each, the clause null
where the piece is not the query's. Nothing in it is a score. https://infini-gram.readthedocs.io/en/latest/api.html
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.interchange.records import Line
from app.interchange.tools.matrices import Places
from app.interchange.tools.responses import responses

_NUMBERS = ("count", "cnt", "prob", "result_by_token_id", "segment_by_shard", "ptrs_by_shard")
_WORD = "\u2581"  # how SentencePiece writes the space before a word


def recognises(path: Path) -> bool:
    """A file whose first record is such an answer, or one without documents, which is then refused by name."""
    if not path.is_file():
        return False
    try:
        record = next(responses(path)).record
    except (UserError, StopIteration):
        return False
    documents = record.get("documents")
    if isinstance(documents, list) and documents:
        return isinstance(documents[0], dict) and "doc_ix" in documents[0]
    return _is_document(record) or ("latency" in record and (documents == [] or _says(record) != ""))


def read(path: Path, _: Places) -> Iterator[Line]:
    """Each query as a result: its text is what is explained, the documents that have it are the passages.

    Raises:
        UserError: an answer is an error, has numbers and no documents, or a document has no text.
    """
    for asked, group in groupby(map(_answer, responses(path)), key=lambda answer: answer[1]):
        answers = list(group)
        first = answers[0][0]
        documents = {name: each for _, _, some in answers for name, each in some.items()}
        yield Line(path, first.number, _record(first, asked, documents))


def _answer(line: Line) -> tuple[Line, str, dict[str, dict[str, Any]]]:
    documents = _documents(line)
    return line, _asked(line, documents), documents


def _says(record: dict[str, Any]) -> str:
    """What an answer has instead of documents."""
    return next((name for name in ("error", *_NUMBERS) if name in record), "")


def _is_document(record: Any) -> bool:
    return isinstance(record, dict) and "doc_ix" in record and isinstance(record.get("spans"), list)


def _documents(line: Line) -> dict[str, dict[str, Any]]:
    record = line.record
    documents = [record] if _is_document(record) else record.get("documents")
    if not isinstance(documents, list):
        said = _says(record)
        if said == "error":
            raise line.wrong("error", f"infini-gram answered: {record['error']}", "Ask it again.")
        raise line.wrong(
            said or "documents", "This answer has no documents.", "Ask for them with get_doc_by_rank."
        )
    index = record.get("index", "infini-gram")
    return {f"{index}:{_number(line, each)}": each for each in documents}


def _number(line: Line, document: Any) -> int:
    number = document["doc_ix"] if _is_document(document) else None
    if not isinstance(number, int) or not all(map(_is_piece, document["spans"])):
        raise line.wrong("documents", "Its documents come without their texts.", "Save the answer as it is.")
    return number


def _is_piece(piece: Any) -> bool:
    return isinstance(piece, list) and len(piece) == 2 and isinstance(piece[0], str)


def _asked(line: Line, documents: dict[str, dict[str, Any]]) -> str:
    """What was looked up: as it was sent, where that was saved too; by its tokens; or as it stands in the document."""
    if isinstance(query := line.record.get("query"), str):
        return query
    tokens = line.record.get("tokens")
    if isinstance(tokens, list) and tokens and all(isinstance(each, str) for each in tokens):
        return "".join(tokens).replace(_WORD, " ").strip()
    marked = _marked(next(iter(documents.values()), {"spans": []}))
    if not marked:
        raise line.wrong(
            "query", "What was looked up is not in the answer.", "Add the request's query to the record."
        )
    return " AND ".join(dict.fromkeys(marked))


def _marked(document: dict[str, Any]) -> list[str]:
    return [text.strip() for text, clause in document["spans"] if clause is not None]


def _record(line: Line, asked: str, documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    record: dict[str, Any] = {"inputs_plaintext": "", "targets_plaintext": asked, "task": "open_ended"}
    if documents:
        found = documents.values()
        record |= {
            "proponents": ["".join(text for text, _ in each["spans"]) for each in found],
            "proponent_ids": list(documents),
            "infini_gram_spans": [_marked(each) for each in found],
            "infini_gram_metadata": [
                {name: value for name, value in each.items() if name not in ("spans", "token_ids", "tokens")}
                for each in found
            ],
        }
    return record | ({"infini_gram_index": line.record["index"]} if "index" in line.record else {})
