"""The panel over a filtered list says what the paper's viewer says: its own expressions, run as the JavaScript they are."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from tests.support.paper import records

FILTERS = [
    "ex.is_8b_correct",
    'ex.is_8b_correct && ex["8b_confidence"] > 0.5',
    "ex['is_8b_correct'] && ex['8b_confidence'] > 0.5 && ex['c4_frequency_bucket'] >= 3",
    "ex.c4_frequency_bucket >= 3",
    "ex.c4_frequency_bucket === 5",
    "ex.relation === 'capital' || ex.c4_frequency < 1000",
    "!ex.has_trex_sentence",
    "ex.proponent_scores[0] > 0.85",
    'ex.example_id.endsWith("7")',
    'ex.inputs_plaintext.includes("number 1")',
]
MISSING = [  # what lacks a field is not `=== false`, and is `!`
    "ex.has_trex_sentence === false",
    "ex.has_trex_sentence == false && ex.c4_frequency_bucket >= 1",
    "ex.has_trex_sentence !== true",
    "ex.is_8b_correct === false",
    "ex['is_8b_correct'] == false || ex.c4_frequency_bucket === 5",
    "!ex.is_8b_correct",
    "!ex.is_8b_correct && ex.c4_frequency_bucket >= 1",
    "!ex['no_such_field']",
]
# As the viewer counts over the examples that a filter keeps: rank of the first correct passage, a passage being correct
# where the file judges it so. An example whose passages nobody judged has no such metric, and is left out of its mean.
PANEL = """([examples, source]) => {
    const keeps = new Function('ex', `return (${source})`);
    const kept = examples.filter(ex => { try { return keeps(ex) } catch { return false } });
    const ranks = kept.filter(ex => ex.proponent_correct).map(ex => ex.proponent_correct.indexOf(true) + 1);
    return {
        prompts: kept.length,
        right: kept.filter(ex => ex.is_8b_correct).length / kept.filter(ex => ex.is_8b_correct !== undefined).length,
        mrr: ranks.reduce((sum, rank) => sum + (rank ? 1 / rank : 0), 0) / ranks.length,
        recall_at_10: ranks.filter(rank => rank && rank <= 10).length / ranks.length,
    };
}"""


@pytest.mark.parametrize("source", FILTERS)
def test_the_panel_equals_the_viewers(plain_page: Page, paper: str, source: str) -> None:
    """Ten of its filters, two of its presets among them, pasted as they are into the field and into an address."""
    page = plain_page
    examples: list[dict[str, Any]] = records("trackstar")
    page.goto(paper)
    viewer = page.evaluate(PANEL, [examples, source])
    page.goto(f"{paper}/prompts.json?{urlencode({'run': 'paper-trackstar', 'where': source})}")
    ours = json.loads(page.locator("body").inner_text())["listing"]["summary"]
    assert 0 < viewer["prompts"] < len(examples)
    assert {name: ours[name] for name in viewer} == pytest.approx(viewer)


@pytest.mark.parametrize("source", MISSING)
def test_what_lacks_a_field_is_kept_where_the_viewer_keeps_it(
    plain_page: Page, paper: str, source: str
) -> None:
    """`=== false` kept examples that lack the field here and not there; `!` lost them here and not there."""
    page = plain_page
    examples: list[dict[str, Any]] = records("trackstar")
    page.goto(paper)
    viewer = page.evaluate(PANEL, [examples, source])
    page.goto(f"{paper}/prompts.json?{urlencode({'run': 'paper-trackstar', 'where': source})}")
    assert json.loads(page.locator("body").inner_text())["listing"]["total"] == viewer["prompts"]
    assert viewer["prompts"] < len(examples) or "no_such" in source
