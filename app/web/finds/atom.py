"""An Atom feed (RFC 4287). Pure: entries in, XML out; any text may stand in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 cannot hold at all, escaped or not.
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """One thing that a feed tells of; `id` never changes, `url` is where to read it."""

    title: str
    url: str
    id: str
    updated: datetime
    summary: str
    text: str
    category: str


def feed(title: str, url: str, own_url: str, entries: Sequence[Entry]) -> bytes:
    """The feed at `own_url`, of the page at `url`; it was updated when its newest entry was."""
    newest = max((entry.updated for entry in entries), key=_utc, default=datetime(1970, 1, 1, tzinfo=UTC))
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<title>{said(title)}</title>",
        f"<id>{said(url)}</id>",
        f'<link rel="alternate" type="text/html" href={attribute(url)}/>',
        f'<link rel="self" type="application/atom+xml" href={attribute(own_url)}/>',
        f"<updated>{_time(newest)}</updated>",
        "<author><name>Startrail</name></author>",
        *(_entry(entry) for entry in entries),
        "</feed>",
    ]
    return "\n".join(lines).encode()


def said(text: str) -> str:
    """Text as XML holds it; what XML has no way to say becomes the replacement character."""
    return escape(_UNSAYABLE.sub("\ufffd", text))


def attribute(text: str) -> str:
    """The same, as the value of an attribute, with its quotes."""
    return quoteattr(_UNSAYABLE.sub("\ufffd", text))


def _entry(entry: Entry) -> str:
    return "\n".join(
        (
            "<entry>",
            f"<title>{said(entry.title)}</title>",
            f"<id>{said(entry.id)}</id>",
            f'<link rel="alternate" type="text/html" href={attribute(entry.url)}/>',
            f"<updated>{_time(entry.updated)}</updated>",
            f"<category term={attribute(entry.category)}/>",
            f"<summary>{said(entry.summary)}</summary>",
            f'<content type="text">{said(entry.text)}</content>',
            "</entry>",
        )
    )


def _time(moment: datetime) -> str:
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(moment: datetime) -> datetime:
    """Times come from the store, where they are UTC and some databases forget to say so."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
