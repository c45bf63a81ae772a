"""axe-core in a page: what it finds against the rules of accessibility."""

from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

Scheme = Literal["light", "dark"]
SCRIPT = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """(rule, the first places it is broken at) of the page as it stands."""
    page.evaluate(SCRIPT)
    result = page.evaluate("axe.run({resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})")
    return [
        (
            each["id"],
            [f"{node['html'][:160]} | {node['failureSummary'][-200:]}" for node in each["nodes"][:3]],
        )
        for each in result["violations"]
    ]
