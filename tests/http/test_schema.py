"""What the OpenAPI document says is what is answered: schemathesis asks for everything that it allows, and for what it does not.

`STARTRAIL_SCHEMA_EXAMPLES=200` asks each operation so many times.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode

from tests.http.test_fuzz import VALUES
from tests.support.sites import site, store_of

pytestmark = pytest.mark.slow
EXAMPLES = int(os.environ.get("STARTRAIL_SCHEMA_EXAMPLES", "8"))
REAL = {
    **VALUES,
    "name": ["demo"],
    "batch_id": ["2" * 12],
    "kind": ["words-mislead"],
}  # what there is, by parameter
RULES = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
load_all_checks()
OTHER_RULES = [each for each in CHECKS.get_all() if each.__name__ not in RULES]
LONGEST = 15_000  # characters of an address that the client sends


@pytest.fixture(scope="module")
def reader(filled_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with site(filled_url, tmp_path_factory.mktemp("schema")) as client:
        yield client
        client.app.state.imports.close()  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
        store_of(client).engine.dispose()


def test_every_answer_is_one_that_the_document_promises(reader: TestClient) -> None:
    """No fault of ours, no status that is not documented, no answer outside its schema."""
    schema = schemathesis.openapi.from_dict(reader.app.openapi())  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
    found: dict[str, str] = {}
    for each in schema.get_all_operations():
        ask(reader, each.ok(), found)
    assert not found, "\n\n".join(f"{name}: {problem}" for name, problem in found.items())


def ask(reader: TestClient, operation: Any, found: dict[str, str]) -> None:
    """Ask one operation, and note the first answer that breaks a rule."""
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.booleans())
    def put(case: Any, real: bool) -> None:
        if real:
            case.path_parameters = {
                name: REAL[name][0] if name in REAL else value
                for name, value in (case.path_parameters or {}).items()
            }
        sent = case.as_transport_kwargs(base_url="http://testserver")
        if sum(len(str(value)) for value in (sent.get("params") or {}).values()) > LONGEST:
            reject()
        sent = {
            key: value for key, value in sent.items() if key not in ("timeout", "verify", "cookies") and value
        }
        if any(not isinstance(each[1], str | bytes) for each in sent.get("files", ())):
            reject()  # the client cannot send a number as a file
        answer: Any = reader.request(**sent)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        said = Response.from_httpx(answer, verify=True)
        case.validate_response(said, excluded_checks=OTHER_RULES)

    try:
        put()
    except BaseException as problem:  # of many kinds, in groups
        found[operation.label] = str(problem)[:2000]
