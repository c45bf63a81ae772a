"""What a reader must be allowed to do before a route answers. One table, read from above: the first line that fits counts.

What stands in no line needs `read` to be read and `admin` to be changed, so a new route is closed until it is named here.
"""

import re
from typing import Literal

from app.store.readers import Scope
from app.web.site.urls import API

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
Need = Scope | Literal["nothing"]
Kind = Literal["read", "change", "any"]

_TABLE: tuple[tuple[Kind, str, Need], ...] = (
    # The site's own files, its sign-in, and what monitors and crawlers ask first.
    ("read", r"/static/.*|/favicon\.ico|/robots\.txt", "nothing"),
    ("any", r"/sign-in|/sign-out", "nothing"),
    ("read", r"/(healthz|readyz)(\.json)?", "nothing"),
    ("any", r"/admin(/.*|\.json)?", "admin"),
    ("read", r"/metrics", "metrics"),
    # Work for the model.
    ("change", r"/trace|/traces/[^/]+/(cancel|steps|span)", "ask"),
    ("change", r"/runs/[^/]+/prompts/[^/]+/(tokens|span)", "ask"),
    ("change", r"/(api/)?traces(/.*)?|/batches(/[^/]+/cancel)?", "ask"),
    ("change", r"/without(/[^/]+/cancel)?", "ask"),
    # Files that come in.
    ("change", r"/upload|/(api/)?uploads", "import"),
    ("read", r".*", "read"),
    ("change", r".*", "admin"),
)
TABLE = tuple((kind, re.compile(path, re.DOTALL), need) for kind, path, need in _TABLE)


def needed(method: str, path: str) -> Need:
    """What a request to this path of the site must be allowed."""
    kind = "read" if method in SAFE else "change"
    if path.startswith(f"{API}/"):  # a page and its document in the API need the same
        path = path.removeprefix(API)
    return next(need for of, found, need in TABLE if of in (kind, "any") and found.fullmatch(path))
