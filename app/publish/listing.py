"""What the copy has instead of the server's lists and searches: pages of all prompts, an index to search, passages by number."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.store.chunks import chunks
from app.web.site.respond import templates

A_PAGE = 1_000  # prompts of a page that lists them
A_FILE = 5_000  # rows of a file of the index
PASSAGES = 256  # ids of a file of passages
TEXT, ANSWER = 160, 60  # characters of a prompt and an answer in the index


@dataclass(frozen=True)
class PromptRow:
    """A prompt of a run as lists have it."""

    run: str
    slug: str
    task: str
    text: str
    answer: str


def prompt_pages(rows: Sequence[PromptRow], files: int) -> Iterator[tuple[str, str]]:
    """`(path of the page, what stands in its main part)`: `/prompts`, then `/prompts/2` and so on."""
    pages = list(chunks(rows, A_PAGE)) or [[]]
    for number, page in enumerate(pages, start=1):
        path = "/prompts" if number == 1 else f"/prompts/{number}"
        context = {"rows": page, "number": number, "pages": len(pages), "total": len(rows), "files": files}
        yield path, templates.get_template("copy/prompts.html").render(context)


def passage_page() -> str:
    """What stands in the main part of the one page of all passages."""
    return templates.get_template("copy/passages.html").render(size=PASSAGES)


def index_files(rows: Sequence[PromptRow]) -> Iterator[tuple[str, bytes]]:
    """`(file, its JSON)`: rows of run, slug, task, prompt and answer for the search in the browser."""
    for number, piece in enumerate(chunks(rows, A_FILE)):
        listed = [[row.run, row.slug, row.task, row.text[:TEXT], row.answer[:ANSWER]] for row in piece]
        yield f"search/{number}.json", _json(listed)


def passage_files(texts: Iterable[tuple[int, str, str]]) -> Iterator[tuple[str, bytes]]:
    """`(file, its JSON)` of `(id, external id, text)` in the order of ids: id -> both, those of 256 ids a file."""
    held: dict[str, list[str]] = {}
    number = -1
    for id_, external, text in texts:
        if id_ // PASSAGES != number:
            if held:
                yield f"passages/{number}.json", _json(held)
            held, number = {}, id_ // PASSAGES
        held[str(id_)] = [external, text]
    if held:
        yield f"passages/{number}.json", _json(held)


def _json(value: Sequence[object] | Mapping[str, object]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
