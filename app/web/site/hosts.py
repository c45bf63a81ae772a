"""By which names the site is known, and which pages are its own.

A page of another site can make its own name point at this machine (DNS rebinding): its visitors' browsers then take the
two for one site. It cannot change the name they send, so a name that is not ours is refused.
"""

import socket
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

from app.settings import Settings

Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}


def known_host(host: str, settings: Settings) -> bool:
    """Whether a Host header names this site: an address, this machine, or what the operator listed.

    An address cannot be made to point elsewhere. A request without Host is none of a browser.
    """
    name = _name(host)
    if not host or name == "localhost" or name.endswith(".localhost") or _is_address(name):
        return True
    listed = {each.lower() for each in settings.allowed_hosts}
    own = {_machine(), _name(urlsplit(settings.base_url).netloc), *listed}
    return (
        name in own
        or "*" in listed
        or any(name.endswith(each[1:]) for each in listed if each.startswith("*."))
    )


def own_origins(request: Request, settings: Settings) -> set[Origin]:
    """Scheme, host and port of the pages that are this site's own."""
    said = [f"{request.url.scheme}://{request.headers.get('host', '')}", settings.base_url]
    return {found for each in said if (found := origin_of(each)) is not None}


def origin_of(address: str) -> Origin | None:
    """Scheme, host and port of an address; None for one without (`null`)."""
    try:
        parts = urlsplit(address)
        if parts.scheme in _PORTS and parts.hostname:
            return parts.scheme, parts.hostname.rstrip("."), parts.port or _PORTS[parts.scheme]
    except ValueError:
        pass
    return None


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host


def _is_address(name: str) -> bool:
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


@lru_cache
def _machine() -> str:
    return socket.gethostname().lower()
