"""axe-core in a page: what it finds against the rules of accessibility."""

from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

Scheme = Literal["light", "dark"]
SCRIPT = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()


# A page has the same parts in both schemes; only these rules look at colours, the most expensive ones of all.
OF_COLOURS = ["color-contrast", "link-in-text-block"]


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """(rule, the first places it is broken at) of the page as it stands; of a dark page what its colours break."""
    page.evaluate(SCRIPT)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    asked: dict[str, object] = (
        {"runOnly": OF_COLOURS} if dark else {"rules": {"target-size": {"enabled": True}}}
    )
    result = page.evaluate("asked => axe.run(asked)", {"resultTypes": ["violations"], **asked})
    return [
        (
            each["id"],
            [f"{node['html'][:160]} | {node['failureSummary'][-200:]}" for node in each["nodes"][:3]],
        )
        for each in result["violations"]
    ]
