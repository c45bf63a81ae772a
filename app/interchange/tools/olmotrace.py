"""What OLMoTrace shows: the answer of infini-gram's attribution API, spans of a model's response with the documents that have
them word for word.

Nothing in it is a score: documents stand in the order of their spans, longest or rarest first as the request asked. What it says
beside a document is kept with the result under its own names (`olmotrace_spans`, `olmotrace_metadata`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.interchange.records import Line
from app.interchange.tools.matrices import Places
from app.interchange.tools.responses import responses

_SPAN = {"left", "right", "documents"}


def recognises(path: Path) -> bool:
    """A file whose first record is such an answer."""
    if not path.is_file():
        return False
    try:
        return _is_response(next(responses(path)).record)
    except (UserError, StopIteration):
        return False


def read(path: Path, _: Places) -> Iterator[Line]:
    """Each answer as a result: the response is what is explained, its documents are the passages.

    Raises:
        UserError: a record is no such answer, came without documents or without the response, or a document has no text.
    """
    for line in responses(path):
        if not _is_response(line.record):
            raise line.wrong(
                "spans", "This is no attribution by OLMoTrace.", "Save the API's answer as it is."
            )
        yield Line(path, line.number, _record(line))


def _is_response(record: dict[str, Any]) -> bool:
    spans = record.get("spans")
    return isinstance(spans, list) and all(isinstance(each, dict) and each.keys() >= _SPAN for each in spans)


def _record(line: Line) -> dict[str, Any]:
    documents: dict[str, dict[str, Any]] = {}
    spans: dict[str, list[str]] = {}
    for span in line.record["spans"]:
        for document in span["documents"]:
            name = _name(line, document)
            documents.setdefault(name, document)
            spans.setdefault(name, []).append(str(span.get("text", "")))
    record: dict[str, Any] = {
        "inputs_plaintext": str(line.record.get("prompt") or ""),
        "targets_plaintext": _response(line),
        "task": "open_ended",
    }
    if documents:
        record |= {
            "proponents": [each["text"] for each in documents.values()],
            "proponent_ids": list(documents),
            "olmotrace_spans": [spans[name] for name in documents],
            "olmotrace_metadata": [each.get("metadata") for each in documents.values()],
        }
    return record | ({"olmotrace_index": line.record["index"]} if "index" in line.record else {})


def _name(line: Line, document: Any) -> str:
    if not isinstance(document, dict) or not isinstance(document.get("text"), str):
        raise line.wrong(
            "spans", "Its documents come without their texts.", "Ask the API with includeDocuments."
        )
    index = line.record.get("index", "infini-gram")
    return f"{index}:{document.get('documentIndex', document.get('document_index'))}"


def _response(line: Line) -> str:
    """The response that was looked up: as it was sent, where that was saved too, or as the API gave its tokens back."""
    said = line.record.get("response")
    if isinstance(said, str):
        return said
    tokens = line.record.get("inputTokens") or line.record.get("input_tokens")
    if not tokens:
        raise line.wrong(
            "inputTokens",
            "What was looked up is not in the answer.",
            "Ask the API with includeInputAsTokens, or add the request's prompt and response to the record.",
        )
    return "".join(map(str, tokens)).strip()
