"""One page model in three forms: a whole page, the fragment htmx asks for, or its JSON twin."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel
from starlette.responses import Response

from app.paths import TEMPLATES
from app.store.readers import READER, Visitor
from app.web.marking.highlight import mark
from app.web.site import urls
from app.web.site.downloads import etag, unless_known
from app.web.site.serialize import json_bytes, text_bytes
from app.words import saying as words

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

templates = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
templates.globals.update(urls=urls, mark=mark)
templates.filters.update(words.FILTERS)  # a room that draws adds what it draws with, see app.main


def page_route(router: APIRouter, path: str) -> Callable[[Endpoint], Endpoint]:
    """Register a GET page and its JSON twin at `path` + `.json` (`/index.json` for the front page)."""

    def register(endpoint: Endpoint) -> Endpoint:
        twin = urls.twin(path)
        router.get(twin, name=f"{endpoint.__name__}.json")(endpoint)
        router.get(path, include_in_schema=False)(endpoint)
        return endpoint

    return register


def wants_json(request: Request) -> bool:
    """Whether a script asked: for the JSON twin, or for records."""
    path = own_path(request)
    return path.endswith((".json", ".jsonl")) or path.startswith("/api/")


def wants_fragment(request: Request) -> bool:
    """Whether htmx asked for a part of the page; going back in history asks for the whole."""
    headers = request.headers
    return (
        headers.get("hx-request") == "true"
        and headers.get("hx-request-type") != "full"
        and headers.get("hx-history-restore-request") != "true"
    )


def respond(
    request: Request,
    page: BaseModel,
    template: str,
    *,
    block: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page in the form the request asks for, with a weak ETag.

    Args:
        page: what the template shows (as `page`) and what the JSON twin is.
        block: the `{% block %}` of the template that htmx swaps; without it htmx too gets the whole page.
    """
    if wants_json(request):
        body, media = json_bytes(page), "application/json"
    else:
        body, media = text_bytes(render(request, page, template, block)), "text/html; charset=utf-8"
    sent = {"Vary": "HX-Request, HX-Request-Type", **(headers or {})}
    if status == 200:
        return unless_known(request, etag(body), body, media, sent)
    return Response(body, status, {"Cache-Control": "no-cache", **sent}, media)


def render(request: Request, page: BaseModel, template: str, block: str | None = None) -> str:
    """The template, or one block of it if htmx asks for a fragment."""
    found = templates.get_template(template)
    query = f"?{request.url.query}" if request.url.query else ""
    context: dict[str, Any] = {
        "page": page,
        "path": request.url.path,
        "here": request.url.path + query,
        "origin": origin(request),
        "reader": READER.get() or Visitor(),
        "nav": "prompts" if "/prompts/" in request.url.path else own_path(request).split("/")[1],
    }
    if block and wants_fragment(request):
        return "".join(found.blocks[block](found.new_context(context)))
    return found.render(context)


def own_path(request: Request) -> str:
    """The path of the request below the site's own root."""
    return request.url.path.removeprefix(urls.ROOT.get()) or "/"


def origin(request: Request) -> str:
    """Scheme and host for links that leave the site, from the settings if the operator gave them."""
    configured = urlsplit(request.app.state.settings.base_url)
    if configured.netloc:
        return f"{configured.scheme}://{configured.netloc}"
    return f"{request.url.scheme}://{request.url.netloc}"
