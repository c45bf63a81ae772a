"""The evaluation read as its twin and as its page."""

from typing import Any

from bs4 import BeautifulSoup
from fastapi.testclient import TestClient


def twin(client: TestClient, url: str) -> dict[str, Any]:
    path, _, query = url.partition("?")
    answer = client.get(f"{path}.json" + (f"?{query}" if query else ""))
    assert answer.status_code == 200, answer.text
    return answer.json()


def html(client: TestClient, url: str) -> BeautifulSoup:
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")
