"""Which other pages may read: what a browser is told, and that nobody's page may write or bring a visitor's rights."""

from pathlib import Path

import pytest

from app.settings import Settings
from app.web.site.cross_origin import may_read
from tests.support.sites import site

LISTED = ("https://pair-code.github.io", "http://lab.example:8080")


@pytest.mark.parametrize(
    ("origin", "origins", "allowed"),
    [
        ("http://127.0.0.1:8123", ("loopback",), True),
        ("http://localhost:3000", ("loopback",), True),
        ("http://[::1]:3000", ("loopback",), True),
        ("http://localhost.evil.example", ("loopback",), False),
        ("http://127.0.0.1.nip.io", ("loopback",), False),
        ("https://pair-code.github.io", ("loopback",), False),
        ("https://pair-code.github.io", LISTED, True),
        ("http://pair-code.github.io", LISTED, False),
        ("http://lab.example", LISTED, False),
        ("http://127.0.0.1:8123", LISTED, False),
        ("null", LISTED, False),
        ("null", ("loopback",), False),
        ("https://any.example", ("*",), True),
        ("http://localhost", (), False),
    ],
)
def test_who_may_read(origin: str, origins: tuple[str, ...], allowed: bool) -> None:
    settings = Settings(read_origins=origins, _env_file=None)
    assert may_read(origin, settings) is allowed


def test_a_page_of_this_machine_reads_and_does_not_write(database_url: str, tmp_path: Path) -> None:
    """The paper's viewer, served at 127.0.0.1, loads a run by address; a page of the web learns nothing of a private site."""
    own, foreign = {"Origin": "http://127.0.0.1:9000"}, {"Origin": "https://evil.example"}
    with site(database_url, tmp_path) as client:
        answer = client.get("/api/v1/runs", headers=own)
        assert answer.headers["access-control-allow-origin"] == own["Origin"]
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
        asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
        before = client.options("/api/v1/runs", headers={**own, **asks})
        assert before.status_code == 204
        assert "POST" not in before.headers["access-control-allow-methods"]
        for path in ("/api/v1/runs", "/api/v1/nothing", "/runs"):
            assert "access-control-allow-origin" not in client.get(path, headers=foreign).headers
        refused = client.options("/api/v1/runs", headers={**foreign, **asks})
        assert "access-control-allow-origin" not in refused.headers
        said = client.post(
            "/api/v1/traces", json={"prompt": "a"}, headers={**own, "Sec-Fetch-Site": "cross-site"}
        )
        assert said.status_code == 403
        assert "access-control-allow-origin" not in said.headers
