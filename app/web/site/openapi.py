"""The OpenAPI document: what FastAPI makes of the routes, and what it cannot know of them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.web.site.problems import PROBLEM_TYPE

PROMISE = (
    "Every page of the site as JSON, every list as a file, and tracing. What stands below `/api/v1` keeps its addresses,"
    " parameters and fields; fields are added, and readers must ignore what they do not know. Errors are problem documents"
    " (RFC 9457) whose `field` and `remedy` say what to change."
)


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
        for operations in made["paths"].values():
            for operation in operations.values():
                _say_problems(operation["responses"])
                _hoist(operation.get("requestBody", {}), schemas)
        made["components"]["schemas"] = dict(sorted(schemas.items()))
        app.openapi_schema = made
    return app.openapi_schema


def _say_problems(responses: dict[str, Any]) -> None:
    """Problems have a media type of their own."""
    for answer in responses.values():
        content = answer.get("content", {})
        said = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if said.endswith("/ProblemDetails"):
            answer["content"] = {PROBLEM_TYPE: content["application/json"]}


def _hoist(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Models inside a body that we read ourselves are named like all others."""
    for content in body.get("content", {}).values():
        schemas.update(content["schema"].pop("$defs", {}))
