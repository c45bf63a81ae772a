"""Where an example stands in the list that led to it, and the prompts around it there."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.store import browse
from app.store.examples import Example
from app.web.browsing.list_query import ListQuery
from app.web.browsing.listing import item
from app.web.site import urls

SHOWN = urls.SHOWN[0]
NEARBY = (6, 12)  # prompts of the list shown before and after this one


@dataclass(frozen=True)
class Asked:
    """What a reader asked of the page: the list they read, what is marked (empty: as usual), how many passages a side."""

    listed: ListQuery
    view: str
    show: int

    def query(self) -> dict[str, object]:
        """As parameters of the address."""
        return {**self.listed.query(), "view": self.view, "show": self.show if self.show != SHOWN else ""}


def nearby(session: Session, example: Example, asked: Asked) -> dict[str, Any]:
    """Where the example stands in the list that led here, and what stands around it."""
    run, result, listed = example.listed, example.result, asked.listed
    filters = listed.filters()
    listing = browse.listed(session, run, filters, listed.sort)
    start, end = (listing.place(result.position, behind=behind) for behind in (False, True))
    before = browse.read(session, listing, start - NEARBY[0], start)
    after = browse.read(session, listing, end, end + NEARBY[1])

    def on(rows: list[browse.ListedResult], at: int) -> str | None:
        return urls.example(run.slug, rows[at].prompt.slug, **asked.query()) if rows else None

    own = browse.ListedResult(result, example.prompt, example.output, example.judged)
    return {
        "number": None if listed.query() else result.position + 1,
        "total": len(listing),
        "previous_url": on(before, -1),
        "next_url": on(after, 0),
        "list": [item(row, run, listed) for row in [*before, own, *after]],
    }
