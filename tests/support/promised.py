"""Answers as the OpenAPI document promises them, and no field more: who reads another is told at once."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import httpx

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
Schema = Mapping[str, Any]


class Promised(dict[str, Any]):
    """An object of a schema. A field that the schema lacks is no `None`: nobody promised it."""

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.name = name

    def __missing__(self, key: str) -> Any:
        raise AssertionError(f"{self.name} has no field “{key}”")

    def get(self, key: str, default: Any = None) -> Any:
        return self[key]


@lru_cache(1)
def document() -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(DOCUMENT.read_text()))


def instance(schema: Schema, known: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
    """One value of the schema, every field of it; `known` has what some fields are, by name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return instance(document()["components"]["schemas"][name], known, name, depth + 1)
    if some := [each for each in schema.get("anyOf", []) if each.get("type") != "null"]:
        return instance(some[0], known, name, depth)
    if schema.get("type") == "array":
        return [instance(schema["items"], known, name, depth)] if schema.get("items") and depth < 6 else []
    if "properties" in schema:
        fields = schema["properties"].items()
        return Promised(
            name,
            {key: known[key] if key in known else instance(each, known, key, depth) for key, each in fields},
        )
    if "enum" in schema:
        return schema["enum"][0]
    return {"integer": 1, "number": 0.5, "boolean": False, "object": {}}.get(schema.get("type", ""), "x")


class _Answer(httpx.Response):
    def __init__(self, status: int, value: Any) -> None:
        super().__init__(status, json=value)
        self._value = value

    def json(self, **options: Any) -> Any:
        return self._value


def site(known: Mapping[str, Any], asked: list[str]) -> httpx.Client:
    """A connection to a site that answers what the document promises; `asked` gets the operations that were asked."""

    def answer(request: httpx.Request) -> httpx.Response:
        for path, operations in document()["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/.]+", re.escape(path))
            operation = operations.get(request.method.lower())
            if operation and re.fullmatch(pattern, request.url.path):
                asked.append(operation["operationId"])
                status = next(each for each in operation["responses"] if each.startswith("2"))
                kind, said = next(iter(operation["responses"][status]["content"].items()))
                if kind != "application/json":  # a results file: its fields have a page of their own
                    return _Answer(int(status), {"example_id": "x", "end_of_export": 1})
                return _Answer(int(status), instance(said["schema"], known))
        raise AssertionError(f"no operation is promised for {request.method} {request.url.path}")

    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://localhost:8000")
