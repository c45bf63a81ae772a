"""As whom a site is copied: as anybody who comes by, or as somebody who signed in. The operator needs no token for either."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from app.settings import Settings
from app.store.readers import READER, Visitor

_NAME, _HEADER = "operator", "X-Startrail-Copied-By"  # the header is believed by the copied application alone
ANYBODY = Visitor()
SIGNED_IN = Visitor(_NAME, frozenset({"read"}))


def opened(settings: Settings) -> Settings:
    """The site's settings as the copy is made with them: to be read by whoever asks, for nobody but the copy does."""
    return settings.model_copy(
        update={
            "base_url": "",
            "root_path": "",
            "access": "open",
            "signin_header": _HEADER,
            "signin_scopes": ("read",),
            "admins": (),
            "trusted_proxies": ("127.0.0.1",),
        }
    )


def headers_of(reader: Visitor) -> Mapping[str, str]:
    """What the application is asked with."""
    return {_HEADER: reader.name} if reader.signed_in else {}


@contextmanager
def seeing(reader: Visitor) -> Iterator[None]:
    """What the store is asked meanwhile is answered as it is to this reader."""
    token = READER.set(reader)
    try:
        yield
    finally:
        READER.reset(token)
