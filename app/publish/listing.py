"""What the copy has instead of the server's lists and searches: pages of all prompts, an index to search, passages."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.store.chunks import chunks
from app.web.site.respond import templates

A_PAGE = 1_000  # prompts of a page that lists them
A_FILE = 5_000  # rows of a file of the index
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


def passage_page(id_: int, external_id: str, text: str, **links: str | None) -> str:
    """The page of a passage: no more than its text, for there are many.

    Args:
        links: how it names its `sheet`, the front page (`home`) and its `corpus`, which may not be in the copy.
    """
    context = {"id": id_, "external_id": external_id, "text": text, **links}
    return templates.get_template("copy/passage.html").render(context)


def index_files(rows: Sequence[PromptRow]) -> Iterator[tuple[str, bytes]]:
    """`(file, its JSON)`: rows of run, slug, task, prompt and answer for the search in the browser."""
    for number, piece in enumerate(chunks(rows, A_FILE)):
        listed = [[row.run, row.slug, row.task, row.text[:TEXT], row.answer[:ANSWER]] for row in piece]
        yield f"search/{number}.json", _json(listed)


def _json(value: Sequence[object]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
