"""The evaluation read as its twin and as its page."""

from bs4 import BeautifulSoup
from fastapi.testclient import TestClient


def html(client: TestClient, url: str) -> BeautifulSoup:
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")
