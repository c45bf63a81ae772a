"""Errors as people and scripts should see them: a page that helps, or an RFC 9457 problem document."""

import logging
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response

from app.errors import UserError
from app.store.permalinks import moved_to, reason_gone
from app.store.runs import list_runs
from app.store.trouble import Told, is_trouble
from app.web.site import urls
from app.web.site.methods import wrong_method
from app.web.site.respond import VARY, own_path, render, wants_json
from app.web.site.serialize import json_bytes, text_bytes

log = logging.getLogger(__name__)
PROBLEM_TYPE = "application/problem+json"
TROUBLE = {
    "slow": (
        "This takes the database too long, and was stopped.",
        "Ask for less: another filter, fewer words.",
    ),
    "busy": ("The database is busy.", "Try again in a few seconds."),
    "away": ("The database is away; it may be starting again.", "Try again in a few seconds."),
    "crowded": ("Too many ask the database at once.", "Try again in a few seconds."),
    "memory": ("There is not memory enough for this now.", "Ask for less, or try again in a minute."),
    "full": (
        "The disk is full: nothing can be saved.",
        "What is here can be read; its operator must make room.",
    ),
    "read-only": ("Nothing can be saved here now.", "What is here can be read; ask its operator."),
}
told = Told(log, "The site")


class Place(BaseModel):
    """Somewhere to go on from."""

    name: str
    url: str


class ProblemDetails(BaseModel):
    """RFC 9457, with `field` and `remedy` beside its members."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    remedy: str = ""
    field: str | None = None
    instance: str = ""


class ProblemPage(ProblemDetails):
    """The problem with ways on: runs there are, and words of the address to search for."""

    words: str = ""
    runs: list[Place] = []


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    app.exception_handler(UserError)(answer)

    @app.exception_handler(ClientDisconnect)
    def left(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it; and it is no fault of ours

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return _elsewhere(request) or show(
                request, 404, "There is no page at this address.", "Start from the front page, or search."
            )
        if error.status_code == 405 and (wrong := wrong_method(request)):
            return answer(request, wrong)
        return show(request, error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = str(first["loc"][-1]) if first["loc"] else None
        message = str(first["msg"]).removeprefix("Value error, ")
        said = (
            f"The value of {field} is wrong: {message[:1].lower()}{message[1:]}." if field else f"{message}."
        )
        return show(request, 422, said, "Correct this field and send it again.", field)

    for kind in (SQLAlchemyError, OSError, MemoryError):
        app.exception_handler(kind)(in_trouble)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        return show(
            request, 500, "Something broke on our side.", "Try again; the log of the server says more."
        )


def in_trouble(request: Request, error: Exception) -> Response:
    """Trouble that passes is told as such; anything else is a fault of ours."""
    if (trouble := is_trouble(error)) == "":
        raise error
    told.trouble(error)
    return show(request, 503, *TROUBLE[trouble], headers={"Retry-After": "10"})


def answer(request: Request, error: UserError) -> Response:
    """The error as page or document; what moved is named instead of missed."""
    found = _elsewhere(request) if error.status == 404 else None
    if found is not None:
        return found
    headers: dict[str, str] = dict(getattr(error, "headers", {}))
    if wait := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(wait)
    place = f"{error.file}:{error.line}: " if error.file and error.line else ""
    return show(request, error.status, place + error.message, error.remedy, error.field, headers)


def show(
    request: Request,
    status: int,
    detail: str,
    remedy: str = "",
    field: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The problem as page or document."""
    problem = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        remedy=remedy,
        field=field,
        instance=request.url.path,
    )
    if wants_json(request):
        body = json_bytes(problem.model_dump(exclude_none=True))
        return Response(body, status, {"Vary": VARY, **(headers or {})}, PROBLEM_TYPE)
    shown = ProblemPage(**problem.model_dump(), **_help(request, status))
    page = text_bytes(render(request, shown, "problem.html"))
    return Response(page, status, headers, "text/html; charset=utf-8")


def _elsewhere(request: Request) -> Response | None:
    """Where what was asked for stands now, or why it is gone."""
    if request.method not in {"GET", "HEAD"}:
        return None
    path = own_path(request)
    prefix = urls.API if path.startswith(f"{urls.API}/") else ""
    path = path.removeprefix(prefix)
    with request.app.state.store.session() as session:
        if (place := moved_to(session, path)) is not None:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(urls.at(prefix + place) + query, status_code=308)
        reason = reason_gone(session, path)
    return show(request, 410, reason, "It will not come back.") if reason else None


def _help(request: Request, status: int) -> dict[str, Any]:
    """What a reader who found nothing may have looked for."""
    if status != 404:
        return {}
    last = request.url.path.rstrip("/").rpartition("/")[2]
    words = " ".join(re.findall(r"[^\W_]+", last))[:100]
    try:
        with request.app.state.store.session() as session:
            runs = [Place(name=run.name, url=urls.run(run.slug)) for run in list_runs(session)[:8]]
    except SQLAlchemyError:  # the page about a problem must not be one
        runs = []
    return {"words": words, "runs": runs}
