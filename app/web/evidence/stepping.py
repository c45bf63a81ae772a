"""Steps are taken and words shaded when a person first opens a page: not for HEAD, not for crawlers, and never without
bound."""

import logging
import re

from fastapi import Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask
from starlette.responses import Response

from app.errors import UserError
from app.settings import Settings
from app.store import jobs
from app.store.engine import Store
from app.store.steps import StepsOf
from app.tracing.asking import want_shading, want_steps
from app.tracing.questions import Shading
from app.web.evidence.shading import ShadingView
from app.web.site.head import ASKED
from app.web.site.respond import wants_json

log = logging.getLogger(__name__)
# Those that say so; one that does not costs no more than the queue lets wait.
CRAWLER = re.compile(r"bot|crawl|spider|slurp|preview|monitor|headless|lighthouse|fetch", re.IGNORECASE)


def is_person(request: Request) -> bool:
    """Whether somebody is likely to look at the page: a browser that was sent here, and not to look ahead."""
    agent, headers = request.headers.get("user-agent", ""), request.headers
    ahead = "prefetch" in headers.get("sec-purpose", "") + headers.get("purpose", "")
    return "Mozilla/" in agent and not CRAWLER.search(agent) and not ahead and ASKED not in request.scope


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
    if shading is not None and is_person(request) and not wants_json(request):
        store: Store = request.app.state.store
        response.background = BackgroundTask(_begin, store, settings, result_id, shading)
    return response


def is_filling(
    session: Session, settings: Settings, parent: str, taken: StepsOf | None, shading: ShadingView | None
) -> bool:
    """Whether more will be there soon: somebody asked for it, or a worker is ready to be asked."""
    if shading is None or not shading.ready:
        return shading is not None and shading.status == "waiting"
    if shading.status in ("never asked", "waiting"):
        return True
    if not settings.steps_per_lane or (taken is not None and taken.whole):
        return False
    jobs_of_it = jobs.of(session, parent.removeprefix("trace:"), "steps")
    return not jobs_of_it or jobs_of_it[-1].state not in jobs.OVER


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
