"""Names people type and names that stand in URLs."""

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Sequence

SLUG_LENGTH = 80


def suggest(name: str, known: Sequence[str], listing: str) -> str:
    """What to do when a name is not known: the nearest names, or where they are listed."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "Did you mean " + " or ".join(f"“{each}”" for each in near) + "?"
    return f"See `{listing}`." if known else "There is none yet."


def slugify(text: str) -> str:
    """Lower-case ASCII letters, digits and hyphens, never empty; what is lost is told apart by a hash."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    if slug and len(slug) <= SLUG_LENGTH and plain == text:
        return slug
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug[:SLUG_LENGTH].rstrip('-')}-{digest}" if slug else digest


def unique_slug(text: str, taken: set[str]) -> str:
    """`slugify(text)`, numbered if another text has that slug already; adds what it returns to `taken`."""
    slug = base = slugify(text)
    number = 2
    while slug in taken:
        slug = f"{base}-{number}"
        number += 1
    taken.add(slug)
    return slug
