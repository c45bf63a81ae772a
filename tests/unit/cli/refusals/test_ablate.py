"""`startrail ablate` over switches: what is made, what is not made twice, what is refused."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app.store.engine import open_store
from app.store.tables import Run
from tests.support.commands import refused, startrail

pytestmark = pytest.mark.slow
ABLATE = ("ablate", "tiny", "--prompts", "asked", "--no-baselines", "--lambdas", "")


def test_points_of_the_curves_are_runs_that_are_made_once(whole: Path) -> None:
    """Each is what it says; 9 passages are fewer than a block of p = 4 has numbers, which is said before the work."""
    asked = (*ABLATE, "--dimensions", "16,64", "--dampings", "0.1,10", "--seeds", "0,1")
    first = startrail(*asked)
    assert first.exit_code == 0, first.output
    told = [line for line in first.output.splitlines() if "fewer than" in line]
    assert len(told) == 1, first.output
    assert "the 16 numbers of a block (p = 4), of TrackStar, d = 64:" in told[0]
    methods = configurations(whole)
    assert methods["tiny-asked-trackstar-d-16"]["projection_dim"] == 2
    assert methods["tiny-asked-trackstar-damping-0-1"]["damping"] == 0.1
    assert methods["tiny-asked-trackstar-seed-1"]["seed"] == 1
    assert len(methods) == 7 + 2 + 2 + 1, "the variants, and the points at other values than the index's own"
    again = startrail(*asked, "--seeds", "0,1,2")
    assert again.exit_code == 0, again.output
    assert set(configurations(whole)) - set(methods) == {"tiny-asked-trackstar-seed-2"}


@pytest.mark.parametrize(
    ("option", "given", "words"),
    [
        ("--dimensions", "16,50", ["field dimensions", "No p makes d = 50", "36 (p = 3) and 64 (p = 4)"]),
        ("--dimensions", "1e3", ["field dimensions", "d = 1e3 is no whole number above zero"]),
        ("--dampings", "0.1,0", ["field dampings", "damping = 0 is no number above zero"]),
        ("--dampings", "inf", ["field dampings", "damping = inf is no number above zero"]),
        ("--seeds", "-1", ["field seeds", "seed = -1 is no whole number"]),
        ("--lambdas", "2", ["field lambdas", "λ = 2 is no number between 0 and 1"]),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(
    whole: Path, option: str, given: str, words: list[str]
) -> None:
    refused(startrail(*ABLATE, f"{option}={given}"), *words)


def configurations(home: Path) -> dict[str, dict[str, object]]:
    with open_store(f"sqlite:///{home / 'startrail.db'}") as store, store.session() as session:
        return {run.slug: run.configuration["method"] for run in session.scalars(select(Run))}
