"""A results file fetched by address, from the operator's hosts only.

A server that fetches what a visitor names can be made to ask its own network. So: http and https only,
hosts of `settings.fetch_hosts` only, at the ports of the web unless the operator listed another one with
the host (`data.example:8443`), each redirect checked anew, no address that is private, local or
reserved unless the operator listed that very address, and the connection goes to the address that was
checked (a name that resolves differently the second time gains nothing). Size and time are limited; the
environment's proxies are not used.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from app.errors import UserError
from app.web.loading.multipart import need_room, too_large

MAX_REDIRECTS = 3
TIMEOUT = httpx.Timeout(connect=10, read=30, write=10, pool=10)
MAX_SECONDS = 1800
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")  # global unicast, RFC 4291
_HELP = "The operator lists hosts in STARTRAIL_FETCH_HOSTS."


def fetch(
    url: str,
    target: Path,
    *,
    hosts: Sequence[str],
    limit: int,
    progress: Callable[[int, int | None], None],
) -> None:
    """Write what stands at `url` to `target`; `progress(bytes, total or None)` is called as it arrives.

    Raises:
        UserError: the address may not be fetched, does not answer, or its file is larger than `limit` bytes.
    """
    started = time.monotonic()
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False, follow_redirects=False) as client:
            for _ in range(MAX_REDIRECTS + 1):
                with _open(client, url, hosts) as answer:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if answer.status_code != 200:
                        raise UserError(
                            f"The address answers {answer.status_code}.", remedy="Check it.", field="url"
                        )
                    _save(answer, target, limit, started, progress)
                    return
        raise UserError("The address redirects too often.", remedy="Use its final address.", field="url")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UserError(
            f"The address cannot be read: {type(error).__name__}.", remedy="Try again later.", field="url"
        ) from None


def check(url: str, hosts: Sequence[str]) -> tuple[str, str, int]:
    """The host, the one of its network addresses to use, and the port, if `url` may be fetched.

    Raises:
        UserError: its scheme, host or network address is not allowed.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise UserError("This is no address.", remedy="Write https://host/file.jsonl.", field="url") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UserError("Only http and https addresses are fetched.", remedy="Upload the file.", field="url")
    if parts.username or parts.password:
        raise UserError("An address must not hold a password.", remedy="Upload the file.", field="url")
    listed = {name.lower() for name in hosts}
    port = port or _PORTS[parts.scheme]
    if not _is_listed(host, port, listed):
        allowed = f"Allowed: {', '.join(sorted(listed))}." if listed else "No host is allowed here."
        asked = host if port in _PORTS.values() else f"{host}:{port}"
        raise UserError(
            f"Files are not fetched from {asked}.", remedy=f"{allowed} {_HELP}", field="url", status=403
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise UserError(f"The host {host} is not known.", remedy="Check its spelling.", field="url") from None
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if _public(address) or _is_listed(str(address), port, listed):
            return host, str(address), port
    raise UserError(
        f"{host} is an address inside the server's own network.",
        remedy="The operator may list that very address (10.0.0.5, 127.0.0.1, …) in STARTRAIL_FETCH_HOSTS.",
        field="url",
        status=403,
    )


def _is_listed(name: str, port: int, listed: set[str]) -> bool:
    """Whether the operator listed it, by itself for the ports of the web, or with this port."""
    return (name in listed and port in _PORTS.values()) or not listed.isdisjoint(
        {f"{name}:{port}", f"[{name}]:{port}"}
    )


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is a place of the internet. What IPv6 reaches of IPv4 is looked at as that, and of IPv6 itself only what is
    given out to the world: the library calls public what was never given to anybody, or only to one site."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return _public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.sixtofour is not None:
            return _public(address.sixtofour)
        return address in _GIVEN_OUT and address.is_global
    return address.is_global and not address.is_multicast


def _open(client: httpx.Client, url: str, hosts: Sequence[str]) -> AbstractContextManager[httpx.Response]:
    host, address, port = check(url, hosts)
    parts = httpx.URL(url)
    headers = {
        "Host": parts.netloc.decode("ascii"),
        "Accept-Encoding": "gzip, identity",
        "User-Agent": "startrail",
    }
    return client.stream(
        "GET",
        parts.copy_with(host=address, port=port),
        headers=headers,
        extensions={"sni_hostname": host},  # the certificate is checked against the name
    )


def _save(
    answer: httpx.Response,
    target: Path,
    limit: int,
    started: float,
    progress: Callable[[int, int | None], None],
) -> None:
    said = answer.headers.get("content-length", "")
    total = int(said) if said.isdigit() and "content-encoding" not in answer.headers else None
    if total is not None and total > limit:
        raise too_large(limit)
    need_room(target.parent, total or 0)
    done = 0
    with target.open("wb") as file:
        for chunk in answer.iter_bytes(1 << 16):
            done += len(chunk)
            if done > limit:
                raise too_large(limit)
            if time.monotonic() - started > MAX_SECONDS:
                raise UserError("The address is too slow.", remedy="Upload the file instead.", field="url")
            file.write(chunk)
            progress(done, total)
    if total is not None and done < total:
        raise UserError("The file stopped before its end.", remedy="Try again.", field="url")
