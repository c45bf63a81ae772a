"""How much one client may have of the site, so that none has it all. What is counted stays in this process's memory.

A client is a token or user, else an address; of IPv6, a network of 64 bits, for that is what one household is given. Who sits
at the machine itself (a loopback address) is not counted: behind a proxy that means the proxy must say who asks, see
docs/operate.md.
"""

import re
import time
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import Request

from app.errors import UserError
from app.settings import Settings
from app.store.readers import Visitor
from app.web.site.respond import own_path

_STEPS = re.compile(r"/(api/(v1/)?)?traces/[^/]+/steps|/runs/[^/]+/prompts/[^/]+/tokens|/(api/v1/)?without")
_FILES = (".csv", ".jsonl", ".parquet")
WRONG_TOKENS = "wrong tokens"


class TooMany(UserError):
    """A client has had its share for now (HTTP 429); `retry_after` is in seconds."""

    def __init__(self, kind: str, limit: RateLimitItem, retry_after: int) -> None:
        super().__init__(
            f"Too many {kind}: {limit.amount} in {limit.multiples} {limit.GRANULARITY.name} are what one client has here.",
            remedy=f"Go on in {retry_after} seconds.",
            status=429,
        )
        self.retry_after = retry_after


class Fairness:
    """The counts of one process."""

    def __init__(self, settings: Settings) -> None:
        self._limits = {
            "questions": parse_many(settings.limit_questions),
            "steps": parse_many(settings.limit_steps),
            "uploads": parse_many(settings.limit_uploads),
            "searches": parse_many(settings.limit_searches),
            "exports": parse_many(settings.limit_exports),
            WRONG_TOKENS: parse_many(settings.limit_wrong_tokens),
        }
        self._counts: FixedWindowRateLimiter | None = (
            None  # its storage starts a thread: not before it is used
        )

    def count(self, request: Request, need: str, visitor: Visitor) -> None:
        """Count the request, if it is of a kind that is shared out.

        Raises:
            TooMany: the client has had its share.
        """
        kind = kind_of(request, need)
        client = client_of(visitor)
        if kind and client:
            self._count(kind, client)

    def count_more(self, visitor: Visitor, questions: int) -> None:
        """A request that was counted as one question asks so many more.

        Raises:
            TooMany: the client has not so many left.
        """
        if (client := client_of(visitor)) and questions > 0:
            self._count("questions", client, questions)

    def count_wrong_token(self, address: str) -> None:
        """Somebody gave a token that is not good.

        Raises:
            TooMany: they did so too often.
        """
        if client := _network(address):
            self._count(WRONG_TOKENS, client)

    def _count(self, kind: str, client: str, many: int = 1) -> None:
        if self._counts is None:
            self._counts = FixedWindowRateLimiter(MemoryStorage())
        for limit in self._limits[kind]:
            if not self._counts.hit(limit, kind, client, cost=many):
                ends = self._counts.get_window_stats(limit, kind, client).reset_time
                raise TooMany(kind, limit, max(1, round(ends - time.time())))


def kind_of(request: Request, need: str) -> str:
    """What of the site a request takes more than a page's worth of; empty for a page."""
    path = own_path(request)
    if need == "ask":
        return "" if path.endswith("/cancel") else "steps" if _STEPS.fullmatch(path) else "questions"
    if need == "import":
        return "uploads"
    if path.endswith(_FILES):
        return "exports"
    return "searches" if request.query_params.get("q") or request.query_params.get("where") else ""


def client_of(visitor: Visitor) -> str:
    """Whose share it is; empty for who is not counted."""
    network = _network(visitor.address)
    return f"name {visitor.name}" if visitor.name and network else network


def _network(address: str) -> str:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""  # a socket of this machine
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback:
        return ""
    return str(ip_network(f"{found}/64", strict=False)) if isinstance(found, IPv6Address) else str(found)
