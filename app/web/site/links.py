"""Addresses in JSON lead to JSON: a page's model holds addresses of pages, and they leave in the form that was asked for."""

from typing import Annotated

from pydantic import PlainSerializer, SerializationInfo, WithJsonSchema
from starlette.requests import Request

from app.web.site import urls
from app.web.site.respond import Form, form_of, own_path


def _followed(address: str, info: SerializationInfo) -> str:
    form: Form | None = (info.context or {}).get("form")
    return form(address) if form and address.startswith("/") else address


# The address of a page of this site. Files, streams, forms and pictures are plain text: they have one form only.
PageUrl = Annotated[
    str,
    PlainSerializer(_followed, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "uri-reference"}),
]


def in_form(request: Request, address: str) -> str:
    """The address of a page in the form that the request is in: where it is sent on to."""
    form = form_of(request)
    return form(address) if form else address


def page_of(request: Request) -> str:
    """The address of the page that the request is for, whichever form of it was asked for, without its query."""
    path = own_path(request)
    path = path.removeprefix(urls.API) if path.startswith(f"{urls.API}/") else path.removesuffix(".json")
    return urls.at(path)
