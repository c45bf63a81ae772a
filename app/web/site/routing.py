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
from app.web.site.promised import ALWAYS, CONDITIONS, NAMED, SENT, Responses, headers, problems, sent_on

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_DOCUMENT: Responses = {200: {"headers": headers("ETag")}, **CONDITIONS}


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
        said = problems(*ALWAYS, *(NAMED if "{" in path else ()))
        router.get(
            urls.API + path.rstrip("/"),
            response_model=model,
            operation_id=operation,
            name=operation,
            tags=[_room(path)],
            responses={**_DOCUMENT, **said, **sent_on(path), **(also or {})},
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
            responses=_DOCUMENT | problems(*ALWAYS, *NAMED),
        )(endpoint)
        return endpoint

    return register


def file_route(
    router: APIRouter,
    path: str,
    operation: str,
    *,
    dependencies: Sequence[Any] = (),
    statuses: Sequence[int] = (),
) -> Callable[[Endpoint], Endpoint]:
    """Register a file at `path`, which has its suffix, and in the API; `statuses` are of problems of its own."""

    def register(endpoint: Endpoint) -> Endpoint:
        kept: dict[str, Any] = {"dependencies": list(dependencies)}
        content = {TYPES[path.rpartition(".")[2]].partition(";")[0]: {"schema": {"type": "string"}}}
        whole = headers("ETag", "Accept-Ranges", "Content-Disposition", "X-Row-Count")
        part = {
            "description": "The part that `Range` asked for.",
            "content": content,
            "headers": whole | headers("Content-Range"),
        }
        router.get(
            urls.API + path,
            operation_id=operation,
            name=operation,
            tags=["files"],
            response_class=FileResponse,
            responses={
                200: {"description": "The file.", "content": content, "headers": whole},
                206: part,
                **CONDITIONS,
                **problems(*sorted({*ALWAYS, *NAMED, 416, *statuses})),
                **sent_on(path),
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
        schemas = [content["schema"] for content in (body or {}).values()]
        needed = any("required" in each or "oneOf" in each for each in schemas)
        sent = {"requestBody": {"required": needed, "content": dict(body)}} if body else {}
        router.post(
            urls.API + path,
            status_code=status,
            response_model=model,
            operation_id=operation,
            name=operation,
            tags=[_room(path)],
            responses={
                **({status: {"headers": headers("Location")}} if status == 202 else {}),
                **(done or {}),
                **problems(*sorted({*ALWAYS, *(SENT if body else ()), *statuses})),
            },
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
