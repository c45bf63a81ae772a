"""One page model in three forms: a whole page, the fragment htmx asks for, or its JSON twin."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from pydantic import BaseModel
from starlette.responses import Response

from app.paths import TEMPLATES
from app.store.models import NO_MODEL
from app.store.readers import READER, Visitor
from app.truth.kept import outcome_names
from app.web.marking.commands import commands
from app.web.marking.highlight import mark
from app.web.site import urls
from app.web.site.downloads import etag, unless_known
from app.web.site.serialize import json_bytes, text_bytes
from app.web.site.terms import with_terms
from app.words import saying as words

Form = Callable[[str], str]
OEMBED = "/oembed"  # a document for scripts, at the address that its standard has
VARY = "Accept, HX-Request, HX-Request-Type"
INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")


class Lean(Extension):
    """Templates are read without their indentation, which is a tenth of a page and nothing that anybody sees."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """One space for what a line begins with: where a line ended in a tag, its words would else run together."""
        return INDENTATION.sub(" ", source)


templates = Environment(
    extensions=[Lean],
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
templates.globals.update(urls=urls, mark=mark, no_model=NO_MODEL)
templates.filters |= {"commands": commands, "with_terms": with_terms}
templates.filters.update(words.FILTERS)  # a room that draws adds what it draws with, see app.main


def wants_json(request: Request) -> bool:
    """Whether a script asked: for the JSON twin, for records, for the API, or for JSON before HTML (`Accept`)."""
    path = own_path(request)
    told = path.endswith((".json", ".jsonl")) or path.startswith("/api/") or path == OEMBED
    return told or _prefers_json(request)


def _prefers_json(request: Request) -> bool:
    """Whether `Accept` names JSON, and HTML not at all, less, or later."""
    wanted = {"application/json": (0.0, 0), "text/html": (0.0, 0)}
    for at, each in enumerate(request.headers.get("accept", "").lower().split(",")):
        kind, *parameters = (part.strip() for part in each.split(";"))
        if kind in wanted:
            said = next((part[2:] for part in parameters if part.startswith("q=")), "1")
            weight = float(said) if _WEIGHT.fullmatch(said) else 0.0
            wanted[kind] = max(wanted[kind], (weight, -at))
    return wanted["application/json"][0] > 0 and wanted["application/json"] > wanted["text/html"]


def form_of(request: Request) -> Form | None:
    """What makes of a page's address the address of the form that was asked for; None where that is the page itself."""
    if not wants_json(request):
        return None
    return urls.api if own_path(request).startswith("/api/") else urls.twin


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
        body, media = json_bytes(page, form=form_of(request)), "application/json"
    else:
        body, media = text_bytes(render(request, page, template, block)), "text/html; charset=utf-8"
    sent = {"Vary": VARY, **(headers or {})}
    if status == 200:
        return unless_known(request, etag(body), body, media, sent)
    return Response(body, status, {"Cache-Control": "no-cache", **sent}, media)


def respond_json(
    request: Request, document: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A document that no page shows, with a weak ETag."""
    body = json_bytes(document, form=form_of(request))
    if status == 200 and request.method == "GET":
        return unless_known(request, etag(body), body, "application/json", headers)
    return Response(body, status, {"Cache-Control": "no-cache", **(headers or {})}, "application/json")


def known_to_all(request: Request, page: BaseModel, here: str) -> dict[str, Any]:
    """What every template may ask for, also one that is sent piece by piece; `here` is the address of the page."""
    return {
        "page": page,
        "path": here,
        "here": here,
        "origin": origin(request),
        "reader": READER.get() or Visitor(),
        "can_trace": any(request.app.state.settings.indexes.glob("*/manifest.json")),
        "can_leave_out": bool(outcome_names(request.app.state.settings.home)),
    }


def render(request: Request, page: BaseModel, template: str, block: str | None = None) -> str:
    """The template, or one block of it if htmx asks for a fragment."""
    found = templates.get_template(template)
    query = f"?{request.url.query}" if request.url.query else ""
    context = known_to_all(request, page, request.url.path + query) | {
        "path": request.url.path,
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
