"""`?embed=1`: the evidence of a page alone, for a frame on another site's page. `/oembed` tells sites how to frame it."""

from fastapi import Request
from markupsafe import Markup
from pydantic import BaseModel
from starlette.responses import Response

from app.web.evidence.answer_page import AnswerPage
from app.web.evidence.lanes import Evidence
from app.web.site import urls
from app.web.site.respond import respond
from app.web.site.security import FRAMED

WIDTH, LEAST_WIDTH = 760, 320  # pixels
ROOM, NARROW_ROOM = 400, 520  # for claim, verdict and where it comes from, which wrap in narrow frames
LANE, NARROW_LANE = 58, 100
NARROW = 640


class EmbedPage(BaseModel):
    """The evidence of one answer with its claim, and the address of the whole page within the site."""

    title: str
    prompt: str
    answer: str
    rather_than: str | None = None
    model: str
    evidence: Evidence
    url: str


def embed_of(page: AnswerPage) -> EmbedPage | None:
    """The evidence of an example or a trace alone; None before it is there."""
    if page.claim is None or page.evidence is None:
        return None
    return EmbedPage(
        title=page.og_title,
        prompt=page.claim.prompt + page.claim.lead,
        answer=page.claim.said,
        rather_than=page.claim.contrast or page.claim.truth,
        model=page.claim.model,
        evidence=page.evidence,
        url=page.og_url,
    )


def embedded(request: Request, page: EmbedPage) -> Response:
    """The evidence alone. This and nothing else of the site may stand in a frame of others."""
    return respond(request, page, "embed.html", headers={"Content-Security-Policy": FRAMED})


def frame_size(lanes: int, widest: int = WIDTH) -> tuple[int, int]:
    """Width and height in pixels of a frame in which so many lanes fit."""
    width = max(LEAST_WIDTH, min(WIDTH, widest))
    lane, room = (NARROW_LANE, NARROW_ROOM) if width < NARROW else (LANE, ROOM)
    return width, room + lane * lanes


def frame(origin: str, url: str, title: str, size: tuple[int, int]) -> Markup:
    """The element that another site shows the page at `url` with."""
    return Markup(
        '<iframe src="{}" width="{}" height="{}" title="{}" loading="lazy" frameborder="0"></iframe>'
    ).format(origin + urls.with_query(url, {"embed": 1}), *size, title)


def embed_code(page: AnswerPage, origin: str) -> str:
    """What somebody pastes into a page of their own to show this one's evidence there, as text."""
    lanes = len(page.evidence.lanes) if page.evidence else 0
    return str(frame(origin, page.og_url, page.og_title, frame_size(lanes)))
