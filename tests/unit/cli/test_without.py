"""`startrail without`: what is predicted is said without a training, whatever the prompt's text holds; what cannot be asked names
its field.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import Result

from app.demo.pretrain import PretrainConfig
from app.store.engine import Store
from app.store.tables import Prompt
from tests.support.outcomes import keep_outcome
from tests.support.seeded import fill


@pytest.fixture
def known(store: Store, tmp_path: Path) -> dict[str, Any]:
    """What the store and its outcome have."""
    with store.session() as session:
        fill(session, prompts=2, passages=20)
        first = session.scalars(select(Prompt).order_by(Prompt.id)).first()
        assert first is not None
        first.text = f"Half a character \ud83d of {first.text}"
    return keep_outcome(store, tmp_path / "home", PretrainConfig())


def test_what_is_predicted_is_said_without_a_training(
    run: Callable[..., Result], known: dict[str, Any]
) -> None:
    asked = ("--corpus", known["corpus"], "--prompt", known["prompt"], "--no-train")
    told = run("without", *known["external"][:3], *asked, "--json")
    assert told.exit_code == 0, told.output
    (prompt,) = json.loads(told.stdout)["prompts"]
    assert prompt["prompt"].startswith("Half a character \ufffd of ")
    assert (prompt["predicted"]["total"], prompt["predicted"]["known"]) == (4.0, 2)
    table = run("without", known["external"][0], *asked)
    assert table.exit_code == 0, table.output
    assert "predicted change of log p" in table.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "no passage “nobody”"),
        ((), "No passage"),
        (("FIRST", "--prompt", "nothing"), "There is no prompt “nothing”"),
        (("FIRST", *(word for at in range(11) for word in ("--prompt", f"p{at}"))), "10 prompts"),
        (("FIRST", "--corpus", "elsewhere"), "elsewhere"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    run: Callable[..., Result], known: dict[str, Any], words: tuple[str, ...], said: str
) -> None:
    given = [known["external"][0] if word == "FIRST" else word for word in words]
    where = [] if "--corpus" in given else ["--corpus", known["corpus"]]
    refused = run("without", *given, *where)
    assert refused.exit_code != 0
    assert said in str(refused.exception) + refused.output
