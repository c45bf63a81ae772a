"""Steps are taken when a person first opens an example: not for HEAD, not for crawlers, and never without bound."""

import logging
import re

from fastapi import Request
from sqlalchemy.exc import OperationalError
from starlette.background import BackgroundTask
from starlette.responses import Response

from app.errors import UserError
from app.settings import Settings
from app.store.engine import Store
from app.store.examples import Example
from app.tracing.asking import want_steps
from app.web.evidence.shading import can_shade
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


def stepped_when_read(request: Request, settings: Settings, example: Example, response: Response) -> Response:
    """The response; once it is sent, the example's steps are queued where they are missing and can be taken."""
    if is_person(request) and not wants_json(request) and example.retrieved and can_shade(settings, example):
        index = str(example.run.index_name)
        response.background = BackgroundTask(
            _begin, request.app.state.store, settings, example.result.id, index
        )
    return response


def _begin(store: Store, settings: Settings, result_id: int, index: str) -> None:
    try:
        with store.session() as session:
            want_steps(session, settings, result_id, index)
    except (
        UserError,
        OperationalError,
    ) as error:  # the reader has the page; the next one may have better luck
        log.warning("Steps of result %d were not queued: %s", result_id, error)
