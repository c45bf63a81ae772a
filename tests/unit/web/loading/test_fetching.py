"""Loading a file by address: only what the operator allows, whatever a redirect or a name says."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.errors import UserError
from app.web.loading.fetching import check, fetch
from tests.support.small_server import Quiet, answering

BODY = b'{"example_id": "1"}\n' * 1000


class Pages(Quiet):
    """A host that serves a file, redirects, lies about sizes and breaks off."""

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        to = {
            "/near": "/file.jsonl",
            "/far": "http://elsewhere.example/file.jsonl",
            "/inside": f"http://127.0.0.2:{port}/file.jsonl",
            "/scheme": "file:///etc/passwd",
            "/loop": "/loop",
        }.get(self.path)
        if to:
            self.send_response(302)
            self.send_header("Location", to)
            self.end_headers()
        elif self.path == "/file.jsonl":
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(1000):
                    self.wfile.write(BODY)
            except OSError:
                return
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[:100])
        else:
            self.send_error(404)


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with answering(Pages) as address:
        yield address


def load(url: str, target: Path, limit: int = 1 << 20) -> list[int]:
    seen: list[int] = []
    fetch(
        url,
        target,
        hosts=(urlsplit(url).netloc,),
        limit=limit,
        progress=lambda done, total: seen.append(done),
    )
    return seen


@pytest.mark.parametrize("path", ["/file.jsonl", "/near"])
def test_a_listed_host_is_read_with_progress(host: str, path: str, tmp_path: Path) -> None:
    """A redirect that stays on the host is followed."""
    seen = load(host + path, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert seen[-1] == len(BODY)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/far", "not fetched from elsewhere.example"),
        ("/inside", "not fetched from 127.0.0.2"),
        ("/scheme", "Only http and https"),
        ("/loop", "redirects too often"),
        ("/missing", "answers 404"),
        ("/short", "cannot be read"),
    ],
)
def test_what_a_host_answers_cannot_lead_elsewhere(host: str, path: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        load(host + path, tmp_path / "f")


@pytest.mark.parametrize("path", ["/file.jsonl", "/endless"])
def test_a_file_past_the_limit_is_refused_with_or_without_its_size_said(
    host: str, path: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        load(host + path, tmp_path / "f", limit=1000)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://example.org/x", ()),
        ("http://localhost/x", ("localhost",)),  # a listed name, but its address is not
        ("http://127.0.0.1/x", ("example.org",)),
        ("http://[::1]/x", ("example.org",)),
        ("http://user:secret@127.0.0.1/x", ("127.0.0.1",)),
        ("http://example.org@127.0.0.1/x", ("example.org",)),
        ("ftp://127.0.0.1/x", ("127.0.0.1",)),
        ("http://[half", ("127.0.0.1",)),
        ("http:///x", ("127.0.0.1",)),
        ("", ("127.0.0.1",)),
    ],
)
def test_addresses_that_may_not_be_asked(url: str, hosts: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        check(url, hosts)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "address",
    ["10.0.0.5", "169.254.169.254", "::ffff:10.0.0.5", "fd00::1", "224.0.0.1", "0.0.0.0", "64:ff9b::a00:5", "64:ff9b:1::a00:5",
     "2002:a00:5::", "::a00:5", "::ffff:0:a00:5", "2001:0:a00:5::", "fec0::1", "5f00::1", "ff0e::1"],
)  # fmt: skip
def test_a_public_name_that_leads_inside_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is the operator's choice; where it points today is not."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    )
    with pytest.raises(UserError, match="own network"):
        check("http://data.example/x", ("data.example",))
    plain = str(getattr(ip_address(address), "ipv4_mapped", None) or address)
    assert check("http://data.example/x", ("data.example", plain))[1] == plain


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822", "2002:5db8:d822::"]
)
def test_what_is_public_is_read_however_it_is_written(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: [(0, socket.SOCK_STREAM, 6, "", (address, 80))]
    )
    assert check("http://data.example/x", ("data.example",))[1] == address


@pytest.mark.parametrize("port", [22, 6379, 8000, 25])
def test_other_services_of_a_listed_host_are_not_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may name an address could talk to the database beside the files."""
    public = [(0, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: public)
    with pytest.raises(UserError, match=f"not fetched from data.example:{port}"):
        check(f"http://data.example:{port}/x", ("data.example",))
    assert check(f"http://data.example:{port}/x", (f"data.example:{port}",))[2] == port
