"""The OpenAPI document: what FastAPI makes of the routes, and what it cannot know of them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.settings import Settings
from app.web.site.identity import EVERYBODY
from app.web.site.needs import needed
from app.web.site.parameters import explain
from app.web.site.problems import PROBLEM_TYPE
from app.web.site.promised import HEADERS

PROMISE = (
    "Every page of the site as JSON, every list as a file, and tracing. What stands below `/api/v1` keeps its addresses,"
    " parameters and fields; fields are added, and readers must ignore what they do not know. Errors are problem documents"
    " (RFC 9457) whose `field` and `remedy` say what to change."
)
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "What the site's operator gave you. Only what this site lets nobody do without one needs it.",
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=PROMISE,
            routes=app.routes,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        )
        schemas = made["components"]["schemas"]
        made["components"] |= {"securitySchemes": {"token": TOKEN}, "headers": HEADERS, "responses": {}}
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                operation["security"] = _security(app.state.settings, method.upper(), path)
                explain(path, operation.get("parameters", ()))
                _share(operation["responses"], made["components"])
                _hoist(operation.get("requestBody", {}), schemas)
        made["components"]["schemas"] = dict(sorted(schemas.items()))
        app.openapi_schema = made
    return app.openapi_schema


def _security(settings: Settings, method: str, path: str) -> list[dict[str, list[str]]]:
    """A token: always, or for whoever has one, by what the site lets everybody do."""
    need = needed(method, path)
    return [{"token": []}] if need not in {"nothing", *EVERYBODY[settings.access]} else [{}, {"token": []}]


def _share(responses: dict[str, Any], components: dict[str, Any]) -> None:
    """Problems have a media type of their own, and are said once; so is what stands in every answer's headers."""
    for status, answer in responses.items():
        content = answer.get("content", {})
        said = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if said.endswith("/ProblemDetails"):
            answer["content"] = {PROBLEM_TYPE: content["application/json"]}
            components["responses"][f"Problem{status}"] = answer
            responses[status] = {"$ref": f"#/components/responses/Problem{status}"}


def _hoist(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Models inside a body that we read ourselves are named like all others."""
    for content in body.get("content", {}).values():
        schemas.update(content["schema"].pop("$defs", {}))
