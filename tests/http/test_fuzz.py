"""Nothing that can be asked breaks anything: parameters are checked where they enter, by type and range."""

import os
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from tests.support.fuzz import requests
from tests.support.sites import site

VALUES = {
    "slug": ["trackstar", "hostile", "capital-china"], "run": ["trackstar", "bm25", "hostile"], "n": ["1", "3"],
    "prompt": ["capital-china", "attack"], "id": ["1", "2"], "trace_id": ["2" * 12], "id_": ["0" * 16], "kind": ["bib"],
    "runs": ["trackstar,bm25", "trackstar,bm25,dense"], "measure": ["mrr"], "task": ["fact"], "name": ["demo", "hostile"],
}  # fmt: skip


MANY = int(os.environ.get("STARTRAIL_FUZZ", 1_000))  # `make fuzz` asks twenty thousand on each database


@pytest.mark.slow
def test_no_request_is_a_fault_of_ours(filled_url: str, tmp_path: Path) -> None:
    """`?frequency=abc`, a number that PostgreSQL cannot hold, a boundary of 300 characters: each was a 500."""
    faults = {}
    with site(filled_url, tmp_path) as client:
        made = requests(client.app, VALUES, seed=MANY)  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
        for _, (method, address, sent) in zip(range(MANY), made, strict=False):
            answer = ask(client, method, address, sent)
            if answer >= 500 and not (answer == 503 and "readyz" in address):
                faults[f"{method} {address} {sent}"[:300]] = answer
        client.app.state.imports.close()  # type: ignore[attr-defined]  # files were among what was sent
    assert not faults


def ask(client: TestClient, method: str, address: str, sent: dict[str, Any]) -> int:
    """The answer's status."""
    return client.request(method, address, follow_redirects=False, **sent).status_code


def test_every_parameter_has_a_type_and_a_range(client: TestClient) -> None:
    """A new parameter is bounded, or this fails: what no database holds and no page shows must not come in."""
    loose = []
    for route in iter_route_contexts(client.app.routes):  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
        if isinstance(route.original_route, APIRoute):
            for field in get_flat_params(route.original_route.dependant):
                kinds = [kind for kind in _kinds(field.field_info.annotation) if kind is not type(None)]
                marks = {type(mark).__name__ for mark in field.field_info.metadata}
                bounded: dict[object, bool] = {
                    int: {"Ge", "Le"} <= marks,
                    float: {"Ge", "Le"} <= marks,
                    str: "MaxLen" in marks,
                    bool: True,
                }
                loose += [
                    (route.path, field.alias) for kind in kinds if not bounded.get(kind, "MaxLen" in marks)
                ]
    assert not loose


def _kinds(annotation: object) -> list[object]:
    """The types that a parameter may have; of a choice between words, none that needs a bound."""
    if get_origin(annotation) is Literal:
        return []
    return list(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else [annotation]
