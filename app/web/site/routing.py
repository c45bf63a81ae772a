"""How a page, a file or an action gets its addresses: one function answers all of them.

`/runs` is the page, `/runs.json` its twin, and `/api/v1/runs` the same document under the promise of docs/api.md. Only the
last is in the OpenAPI document.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import FileResponse

from app.web.site import urls
from app.web.site.downloads import TYPES
from app.web.site.problems import ProblemDetails

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Responses = dict[int | str, dict[str, Any]]

STATUSES = {
    400: "The request cannot be read, or the site is not known by this name.",
    401: "Nobody reads or asks here without a token, or this one is not good.",
    403: "Not allowed: sent from another site's page, or not among the rights of this token.",
    404: "Nothing has this name here.",
    409: "It is in no state for this.",
    410: "It was here and was taken away; `detail` says why.",
    413: "More than is read.",
    414: "The address is too long.",
    415: "A body of this type is not read.",
    416: "The file is shorter than what `Range` asked for.",
    422: "A parameter or field is wrong, or unknown; `field` names it. Nothing was changed.",
    507: "The server's disk is too full.",
    429: "One client has had its share; `Retry-After` says in how many seconds to come back.",
    503: "Busy; `Retry-After` says in how many seconds to come back.",
}
_ALWAYS = (400, 401, 403, 404, 414, 422, 429, 503)
_NAMED = (410,)  # where the address names something


def problems(*statuses: int) -> Responses:
    """OpenAPI of the problems with which a route may answer."""
    return {status: {"model": ProblemDetails, "description": STATUSES[status]} for status in statuses}


def page_route(
    router: APIRouter, path: str, model: Any, operation: str, *, old: str = "", also: Responses | None = None
) -> Callable[[Endpoint], Endpoint]:
    """Register a page at `path`, its twin at `path` + `.json` (`/index.json` for the front page), and the API's document.

    Args:
        model: of the document.
        operation: what the API calls it: `list_runs`.
        old: where the document stood before there was a version; it answers there as well.
        also: what else it may answer.
    """

    def register(endpoint: Endpoint) -> Endpoint:
        said = problems(*_ALWAYS, *(_NAMED if "{" in path else ()))
        router.get(
            urls.API + path.rstrip("/"),
            response_model=model,
            operation_id=operation,
            name=operation,
            tags=[_room(path)],
            responses={**said, **_sent_on(path), **(also or {})},
        )(endpoint)
        router.get(urls.twin(path), name=f"{operation}.json", include_in_schema=False)(endpoint)
        if old:
            router.get(old, include_in_schema=False)(endpoint)
        router.get(path, include_in_schema=False)(endpoint)
        return endpoint

    return register


def document_route(
    router: APIRouter, path: str, model: type[BaseModel], operation: str
) -> Callable[[Endpoint], Endpoint]:
    """Register a document of the API that is no page."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.get(
            urls.API + path,
            response_model=model,
            operation_id=operation,
            name=operation,
            tags=[_room(path)],
            responses=problems(*_ALWAYS, *_NAMED),
        )(endpoint)
        return endpoint

    return register


def file_route(
    router: APIRouter, path: str, operation: str, *, dependencies: Sequence[Any] = ()
) -> Callable[[Endpoint], Endpoint]:
    """Register a file at `path`, which has its suffix, and in the API."""

    def register(endpoint: Endpoint) -> Endpoint:
        kept: dict[str, Any] = {"dependencies": list(dependencies)}
        content = {TYPES[path.rpartition(".")[2]].partition(";")[0]: {"schema": {"type": "string"}}}
        range_ = {"description": "The part that `Range` asked for.", "content": content}
        router.get(
            urls.API + path,
            operation_id=operation,
            name=operation,
            tags=["files"],
            response_class=FileResponse,
            responses={
                200: {"description": "The file.", "content": content},
                206: range_,
                **problems(*_ALWAYS, *_NAMED, 416),
                **_sent_on(path),
            },
            **kept,
        )(endpoint)
        router.get(path, include_in_schema=False, **kept)(endpoint)
        return endpoint

    return register


def action_route(
    router: APIRouter,
    path: str,
    model: type[BaseModel],
    operation: str,
    *,
    old: str = "",
    body: Mapping[str, Any] | None = None,
    statuses: Sequence[int],
    done: Responses | None = None,
    status: int = 202,
) -> Callable[[Endpoint], Endpoint]:
    """Register a POST of the API.

    Args:
        path: below the API's own.
        old: its address from before there was a version; it answers there as well.
        body: OpenAPI's `content` of what is sent.
        statuses: of the problems that it may answer.
        done: other ways in which it may be done.
        status: of what was done.
    """

    def register(endpoint: Endpoint) -> Endpoint:
        sent = {"requestBody": {"required": True, "content": dict(body)}} if body else {}
        router.post(
            urls.API + path,
            status_code=status,
            response_model=model,
            operation_id=operation,
            name=operation,
            tags=[_room(path)],
            responses={**(done or {}), **problems(*sorted({*_ALWAYS, *statuses}))},
            openapi_extra=sent,
        )(endpoint)
        if old:
            router.post(old, status_code=status, include_in_schema=False)(endpoint)
        return endpoint

    return register


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI of a body that is read with a limit before it is parsed."""
    return {
        "application/json": {"schema": model.model_json_schema(ref_template="#/components/schemas/{model}")}
    }


def _room(path: str) -> str:
    return path.split("/")[1] or "site"


def _sent_on(path: str) -> Responses:
    return {308: {"description": "It stands at another address now: `Location`."}} if "{" in path else {}
