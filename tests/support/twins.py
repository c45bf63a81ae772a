"""Addresses in JSON lead to JSON; a test that holds them against the page's links has them as the page does."""

import re
from typing import Any

from fastapi.testclient import TestClient

_TWIN = re.compile(r"^(/[^?#]*)\.json(?=$|[?#])")


def as_page(value: Any) -> Any:
    """The value, or all of a document, with the pages' own addresses in place of their twins'."""
    if isinstance(value, str):
        address = _TWIN.sub(r"\1", value)
        return "/" + address.removeprefix("/index") if re.match(r"/index($|\?)", address) else address
    if isinstance(value, dict):
        return {name: as_page(each) for name, each in value.items()}
    return [as_page(each) for each in value] if isinstance(value, list) else value


def twin(client: TestClient, path: str) -> dict[str, Any]:
    """The JSON twin of a page, which must be there, with addresses as the page has them."""
    head, _, query = path.partition("#")[0].partition("?")
    head = "/index" if head == "/" else head
    answer = client.get(f"{head}.json" + (f"?{query}" if query else ""))
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = as_page(answer.json())
    return said
