"""`/about`: the method in plain words; `/docs`: the API, drawn from the OpenAPI document without foreign scripts."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.store.filters import FIELDS
from app.web.site import urls
from app.web.site.needs import needed
from app.web.site.respond import respond
from app.web.site.routing import page_route

router = APIRouter()


class FieldInfo(BaseModel):
    """A field of a prompt's record that an expression may name."""

    name: str
    kind: str
    meaning: str
    others: list[str]


class AboutPage(BaseModel):
    """The method in plain words."""

    title: str = "About"
    version: str
    paper: str = "https://arxiv.org/abs/2410.17413"
    fields: list[FieldInfo]


class Parameter(BaseModel):
    """One parameter of an operation."""

    name: str
    place: str
    type: str
    required: bool
    default: Any
    description: str


class Operation(BaseModel):
    """One thing the API does."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    body_examples: list[Any]
    responses: dict[str, str]
    try_url: str | None


class DocsPage(BaseModel):
    """Every operation of the API."""

    title: str = "API"
    version: str
    operations: list[Operation]


@page_route(router, "/about", AboutPage, "get_about")
def about_page(request: Request) -> Response:
    """What Startrail does, and how."""
    fields = [
        FieldInfo(name=field.name, kind=field.kind, meaning=field.help, others=list(field.others))
        for field in FIELDS.values()
    ]
    return respond(request, AboutPage(version=request.app.version, fields=fields), "about.html")


@page_route(router, "/docs", DocsPage, "get_docs")
def docs_page(request: Request) -> Response:
    """The API: every page's JSON twin, and tracing."""
    document = request.app.openapi()
    operations = [
        _operation(document, method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return respond(request, DocsPage(version=request.app.version, operations=operations), "docs.html")


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=[
            Parameter(
                name=each["name"],
                place=each["in"],
                type=_type(each.get("schema", {})),
                required=each.get("required", False),
                default=each.get("schema", {}).get("default"),
                description=each["description"],
            )
            for each in operation.get("parameters", [])
        ],
        body_examples=_examples(document, operation),
        responses={code: _response(document, each) for code, each in operation["responses"].items()},
        try_url=urls.at(path) if method == "get" and _opens(path) and not _asks(operation) else None,
    )


def _response(document: dict[str, Any], said: dict[str, Any]) -> str:
    name = said.get("$ref", "").rpartition("/")[2]
    described: str = (document["components"]["responses"][name] if name else said)["description"]
    return described


def _opens(path: str) -> bool:
    """Whether the address stands for one page, which whoever reads here may see."""
    return "{" not in path and needed("GET", path) in ("read", "nothing")


def _type(schema: dict[str, Any]) -> str:
    kinds = [schema] if "type" in schema else schema.get("anyOf", [])
    return " or ".join(str(each.get("type", "")) for each in kinds)


def _examples(document: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    """Examples of the request's body, the operation's own or those of its schema."""
    found: list[Any] = []
    for content in operation.get("requestBody", {}).get("content", {}).values():
        found += [each.get("value") for each in content.get("examples", {}).values()]
        schema = content.get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        schema = document.get("components", {}).get("schemas", {}).get(name, schema)
        found += schema.get("examples", [])
    return found


def _asks(operation: dict[str, Any]) -> bool:
    """Whether a parameter has to be given, so that the bare address answers nothing."""
    return any(each.get("required") for each in operation.get("parameters", []))
