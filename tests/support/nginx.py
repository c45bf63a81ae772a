"""A real nginx in front of a site, with the configuration that a test gives it."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

WHOLE = """
{user}worker_processes 1; pid {home}/pid; error_log {home}/error.log; daemon off;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c; uwsgi_temp_path {home}/d;
  scgi_temp_path {home}/e;
  server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""


@contextmanager
def nginx(home: Path, port: int, location: str, site: str) -> Iterator[None]:
    """nginx with one location; `http://127.0.0.1:8000` in it stands for the site, and other paths are another app's.

    Raises:
        RuntimeError: nginx is not installed, or does not start.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise RuntimeError("These tests need nginx: `make system`, or apt-get install nginx-light.")
    home.mkdir(parents=True)
    if "location / " not in location:
        location += ' location / { return 404 "another app\\n"; }'
    location = re.sub(r"http://127\.0\.0\.1:8000", site, location)
    user = "user root; " if os.getuid() == 0 else ""
    (home / "conf").write_text(WHOLE.format(user=user, home=home, port=port, location=location))
    server = subprocess.Popen([program, "-c", home / "conf", "-p", home, "-e", home / "error.log"])
    try:
        _wait(server, home)
        yield
    finally:
        server.terminate()
        server.wait(timeout=10)


BEHIND = """
listen 127.0.0.1:{tls} ssl; ssl_certificate {home}.crt; ssl_certificate_key {home}.key; client_max_body_size 300m;
location {prefix}/ {{
  proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1; proxy_buffering on;
  {named}
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Prefix {prefix};
}}
"""
PREFIX = "/startrail"
# How the name that a reader typed gets through, port and all: in a header of its own where Host loses its port, or as Host.
NAMED = {
    "without-port": "proxy_set_header Host $host; proxy_set_header X-Forwarded-Host $http_host;",
    "with-port": "proxy_set_header Host $http_host;",
}


@contextmanager
def behind_tls(site: str, host: str) -> Iterator[str]:
    """nginx in front of a site, as a lab has it: TLS ends there, the site is under a path, and answers are buffered. Yields
    the address that a browser knows.

    Args:
        host: the Host that it passes, a key of `NAMED`.
    """
    with tempfile.TemporaryDirectory() as place:
        home, tls = Path(place) / "nginx", free_port()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-keyout", f"{home}.key", "-out", f"{home}.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        location = BEHIND.format(tls=tls, home=home, prefix=PREFIX, named=NAMED[host])
        with nginx(home, free_port(), location, site):
            yield f"https://127.0.0.1:{tls}{PREFIX}"


def _wait(server: subprocess.Popen[bytes], home: Path) -> None:
    """Until it listens: it writes its number down after that. Whether somebody answers at the port says nothing of whom."""
    end = time.monotonic() + 20
    while not (home / "pid").exists():
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"nginx did not start: {(home / 'error.log').read_text()}")
        time.sleep(0.02)
