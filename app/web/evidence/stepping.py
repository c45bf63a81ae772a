"""Steps are taken and words shaded when a person first opens a page: not for HEAD, not for crawlers, and never without
bound."""

import logging
import re
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask
from starlette.responses import Response

from app.errors import UserError
from app.settings import Settings
from app.store import jobs
from app.store.engine import Store
from app.store.readers import READER
from app.store.steps import StepsOf
from app.tracing.asking import want_shading, want_steps
from app.tracing.questions import Shading
from app.web.evidence.shading import ShadingView
from app.web.site.head import ASKED
from app.web.site.respond import wants_json

log = logging.getLogger(__name__)
# Those that say so; one that does not costs no more than the queue lets wait.
# “(compatible;” no browser of a person has written since Internet Explorer, and nearly every crawler writes;
# a Cubot is a telephone.
CRAWLER = re.compile(
    r"\(compatible;|(?<!cu)bot\b|crawl|spider|slurp|preview|monitor|headless|phantom|lighthouse|fetch|archiver|scrap"
    r"|external|validator|google-|googleother|feed",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reader:
    """What a visit means to the machine.

    Args:
        begins: a person reads the page, for whom what is missing is made.
        told: there is a use in saying that more comes. A crawler that runs the page's scripts would come back for it
            for ever.
    """

    begins: bool
    told: bool


NOBODY = Reader(begins=False, told=False)


def reader_of(request: Request) -> Reader:
    """Who reads: a person is a browser that was sent here, and neither to look ahead nor for the headers alone."""
    agent, headers = request.headers.get("user-agent", ""), request.headers
    crawler = CRAWLER.search(agent) is not None
    ahead = "prefetch" in headers.get("sec-purpose", "") + headers.get("purpose", "")
    person = "Mozilla/" in agent and not (crawler or ahead or ASKED in request.scope or wants_json(request))
    visitor = READER.get()
    allowed = visitor is None or visitor.may(
        "ask"
    )  # where asking needs a token, reading begins no work either
    return Reader(begins=person and allowed, told=not crawler)


def measured_when_read(
    request: Request,
    settings: Settings,
    response: Response,
    *,
    result_id: int | None,
    shading: Shading | None,
) -> Response:
    """The response; once it is sent, what is missing of the steps and of the shading is queued, where it can be made.

    Args:
        result_id: the example whose steps are wanted; None: those of a trace, which its worker queues.
    """
    if shading is not None and reader_of(request).begins:
        store: Store = request.app.state.store
        response.background = BackgroundTask(_begin, store, settings, result_id, shading)
    return response


def is_filling(
    session: Session,
    settings: Settings,
    reader: Reader,
    parent: str,
    taken: StepsOf | None,
    shading: ShadingView | None,
) -> bool:
    """Whether more will be there soon: it is queued, or this visit queues it and a worker is ready."""
    if shading is None or not reader.told:
        return False
    if shading.status == "waiting":
        return True
    if not shading.ready:
        return False
    if shading.status == "never asked" and reader.begins:
        return True
    if not settings.steps_per_lane or (taken is not None and taken.whole):
        return False
    asked = jobs.of(session, parent.removeprefix("trace:"), "steps")
    if asked:
        return asked[-1].state not in jobs.OVER
    return reader.begins and not parent.startswith("trace:")  # a trace's are queued with its answer, or never


def _begin(store: Store, settings: Settings, result_id: int | None, shading: Shading) -> None:
    try:
        with store.session() as session:
            if result_id is not None:
                want_steps(session, settings, result_id, shading.index)
            want_shading(session, settings, shading)
    except (
        UserError,
        OperationalError,
    ) as error:  # the reader has the page; the next one may have better luck
        log.warning("Steps of result %s were not queued: %s", result_id, error)
