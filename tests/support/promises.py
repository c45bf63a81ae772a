"""Whether a site keeps what its OpenAPI document promises: schemathesis' own engine, all its checks, in process."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.config._checks import NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES as REFUSED
from schemathesis.config._checks import POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES as TAKEN
from schemathesis.engine import events, from_schema

from tests.support.routes import Values

# Expressions of `?where=`: JSON Schema has no word for a grammar, so the document names a format.
FILTERS = ("", "correct", "confidence >= 0.5", 'task = "fact" and not correct', 'ex["8b_confidence"] > 0.5')
schemathesis.openapi.format("filter", st.sampled_from(FILTERS))
SLOWEST = 120  # seconds: an answer that is late on a busy machine breaks no promise
# Whether a question can be asked depends on the model (its context, its tokens) and on the corpus.
ASKING = ("/api/v1/traces", "/api/v1/batches", "/api/v1/traces/{trace_id}/steps", "/api/v1/without")


@dataclass
class Kept:
    """How often each status was answered, and each promise that was broken, with the first request that showed it."""

    answers: Counter[int] = field(default_factory=Counter)
    broken: dict[str, str] = field(default_factory=dict)

    def note(self, event: events.ScenarioFinished) -> None:
        """What one operation was asked in one phase."""
        asked = event.recorder.interactions
        self.answers.update(each.response.status_code for each in asked.values() if each.response)
        for id_, checks in event.recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    said = f"{failure.message}\n{check.failure_info.code_sample[:3000]}"
                    if (shown := asked.get(id_)) and shown.response:
                        said += f"\n{shown.response.status_code} {shown.response.text[:500]}"
                    self.broken.setdefault(f"{event.recorder.label}: {check.name}, {failure.title}", said)


def keep(app: FastAPI, known: Values, examples: int, *, always: Values, token: str = "") -> Kept:
    """Ask for everything that the document allows and for what it does not.

    Args:
        known: values that stand in addresses of this site, by parameter; every second value drawn is one.
        examples: how many requests an operation is asked at random. From 20 on also all that lie at limits, undeclared methods,
            and chains in which one answer leads to the next request.
        always: parameters that have such values only.
        token: sent with every request that is to pass.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    config = SchemathesisConfig.from_dict(_config(known, examples, always, token) | {"headers": headers})
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config, headers=headers)

    @schema.hook("filter_query")
    def sayable(context: Any, query: Mapping[str, Any] | None) -> bool:
        """Parameters that exclude each other: OpenAPI has no word for it. `against` compares measures, not types."""
        asked = query or {}
        return not (asked.get("against") and asked.get("kind") and not asked.get("measure"))

    kept = Kept()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            kept.note(event)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            kept.broken[f"{type(event).__name__} {len(kept.broken)}"] = str(event)[:3000]
    return kept


def _config(known: Values, examples: int, always: Values, token: str) -> dict[str, Any]:
    drawn = dict.fromkeys(known, 0.5) | dict.fromkeys(always, 1.0)
    whole = {"enabled": examples >= 20}
    asked = {"expected-statuses": [*TAKEN, "422"]}
    return {
        "dictionaries": {name: {"values": list(each)} for name, each in {**known, **always}.items()},
        "parameters": {name: {"dictionary": name, "probability": share} for name, share in drawn.items()},
        "generation": {"max-examples": examples, "database": "none", "deterministic": True},
        "request-timeout": SLOWEST,
        "phases": {"coverage": whole, "stateful": whole},
        "checks": {
            "negative_data_rejection": {"expected-statuses": [*REFUSED, "413", "414", "431"]},
            # A private trace is its asker's, who is known by token or by a cookie. The engine sends no cookie back.
            "ensure_resource_availability": {"enabled": bool(token)},
        },
        "operations": [
            # Whoever asks whether the site is ready is told by the status that it is not.
            {"include-path": "/api/v1/readyz", "checks": {"not_a_server_error": {"enabled": False}}},
            *({"include-path": path, "checks": {"positive_data_acceptance": asked}} for path in ASKING),
        ],
        "continue-on-failure": True,
    }
