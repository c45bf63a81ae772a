"""`?embed=1`: the evidence of a page alone, for a frame on another site's page. `/oembed` tells sites how to frame it."""

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from app.web.evidence.answer_page import AnswerPage
from app.web.evidence.lanes import Evidence
from app.web.site.respond import respond
from app.web.site.security import FRAMED


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
