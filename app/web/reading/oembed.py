"""`/oembed`: how other sites embed a page of this one (https://oembed.com): a frame of a size that fits."""

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import NotFound, UserError
from app.settings import Settings
from app.store import jobs
from app.web.asking import trace
from app.web.asking.trace_answer import Looked
from app.web.evidence.embed import WIDTH, EmbedPage, embed_of, frame, frame_size
from app.web.front import home
from app.web.reading.example_page import whole_example
from app.web.site import urls
from app.web.site.context import Config, Db
from app.web.site.params import HELD, Plain
from app.web.site.promised import ALWAYS, NAMED, problems
from app.web.site.respond import origin
from app.web.site.serialize import json_bytes

router = APIRouter()
EXAMPLE = re.compile("/runs/([^/]+)/prompts/([^/]+)")
TRACE = re.compile("/traces/([^/]+)")


class FrameInfo(BaseModel):
    """An oEmbed answer of type `rich` (https://oembed.com): `html` is the frame, sizes are in pixels."""

    version: str = "1.0"
    type: str = "rich"
    provider_name: str = "Startrail"
    provider_url: str
    title: str
    html: str
    width: int
    height: int
    thumbnail_url: str
    thumbnail_width: int = 1200
    thumbnail_height: int = 630
    cache_age: int = 3600


@router.get(
    "/oembed",
    response_model=FrameInfo,
    operation_id="get_oembed",
    tags=["sharing"],
    responses=problems(*ALWAYS, *NAMED),
)
def oembed(
    request: Request,
    db: Db,
    settings: Config,
    url: Annotated[
        Plain, Query(max_length=3000, description="address of an example, trace or the front page")
    ],
    format: Annotated[
        str, Query(max_length=10, description="json", json_schema_extra={"enum": ["json"]})
    ] = "json",
    maxwidth: Annotated[int, Query(ge=1, le=HELD, description="pixels")] = WIDTH,
    maxheight: Annotated[int, Query(ge=1, le=HELD, description="pixels")] = HELD,
) -> Response:
    """How to embed a page of this site, as oEmbed has it: a frame with the evidence, of a size that fits."""
    if format != "json":
        raise UserError(f"The format {format} is not offered.", field="format", remedy="Ask for json.")
    parts, here = urlsplit(url), urlsplit(origin(request))
    if (parts.scheme, parts.netloc) != (here.scheme, here.netloc):
        raise NotFound(
            "This address is not one of this site.", remedy="Give the whole address of a page here."
        )
    found = _page_at(request, db, settings, parts.path.removeprefix(urls.ROOT.get()))
    width, height = frame_size(len(found.evidence.lanes), maxwidth)
    height = min(maxheight, height)
    info = FrameInfo(
        provider_url=origin(request) + urls.home(),
        title=found.title,
        html=str(frame(origin(request), found.url, found.title, (width, height))),
        width=width,
        height=height,
        thumbnail_url=origin(request) + urls.card(found.url),
    )
    return Response(json_bytes(info), media_type="application/json")


def _page_at(request: Request, session: Session, settings: Settings, path: str) -> EmbedPage:
    """What would be shown in the frame.

    Raises:
        NotFound: no page with evidence has this path.
    """
    found = None
    if path in ("", "/"):
        found = home.embed_of(session, settings)
    elif match := EXAMPLE.fullmatch(path):
        run, prompt = unquote(match[1]), unquote(match[2])
        found = embed_of(whole_example(session, settings, run, prompt))
    elif match := TRACE.fullmatch(path):
        found = embed_of(trace.load(request, session, jobs.find(session, unquote(match[1])), Looked()))
    if found is None or not found.evidence.lanes:
        raise NotFound(
            "There is no evidence to embed at this address.",
            remedy="Give the address of an example or a trace.",
        )
    return found
