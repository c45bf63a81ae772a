"""A viewer that another server shows loads a run by its address, as the paper's does: only a browser enforces CORS.

The page below asks and counts as the paper's viewer does (PAIR-code/pretraining-tda, demo/data_loader.ts and metrics.ts), in
our words: one plain `fetch`, a record a line, a filter made a function, and means over the examples that have what is
averaged, to three decimals. In one thing it counts as we do: of a list of fewer than ten passages the viewer's precision@10 is 0,
and ours takes the places that are missing for wrong ones.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from tests.support.small_server import sharing

VIEWER = """<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A viewer</title>
<dl id="metrics"></dl><ol id="examples"></ol>
<script>
  const asked = new URLSearchParams(location.search);
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;

  const share = states => states.slice(0, 10).filter(Boolean).length / 10;

  function measured(example) {
    const metrics = {};
    if (example.proponent_correct) {
      const first = example.proponent_correct.indexOf(true);
      metrics['recall@10'] = Number(example.proponent_correct.slice(0, 10).includes(true));
      metrics['precision@10'] = share(example.proponent_correct);
      metrics['mrr_first'] = first < 0 ? 0 : 1 / (first + 1);
    }
    if (example.proponent_ais_scores) {
      const states = example.proponent_ais_scores.map(score => score > 0.5), first = states.indexOf(true);
      metrics['ais_recall@10'] = Number(states.slice(0, 10).includes(true));
      metrics['ais_precision@10'] = share(states);
      metrics['ais_mrr_first'] = first < 0 ? 0 : 1 / (first + 1);
    }
    return metrics;
  }

  async function show() {
    const answer = await fetch(asked.get('jsonl_path'), {method: 'GET'});
    const examples = (await answer.text()).split('\\n').filter(line => line).map(line => JSON.parse(line));
    const filter = asked.get('data_filter');
    const kept = filter ? examples.filter(Function('ex', `return ${filter};`)) : examples;
    const all = {};
    for (const example of kept)
      for (const [name, value] of Object.entries(measured(example))) (all[name] ??= []).push(value);
    for (const [name, values] of Object.entries(all))
      document.querySelector('#metrics').insertAdjacentHTML(
        'beforeend', `<dt>${name}</dt><dd>${mean(values).toFixed(3)}</dd>`);
    for (const example of kept)
      document.querySelector('#examples').append(Object.assign(
        document.createElement('li'), {textContent: `${example.inputs_plaintext} ${example.targets_plaintext}`}));
    document.body.dataset.shown = kept.length;
  }
  show().catch(error => { document.body.dataset.failed = error; });
</script></html>"""
FILTERS = [
    "",  # all: among them a fact that nobody judged, which both leave out of the means (it cost us 0.008 of the MRR)
    "ex.is_8b_correct",
    "ex.c4_frequency_bucket >= 3",
    'ex["is_8b_correct"] && ex["8b_confidence"] > 0.5 && ex["c4_frequency_bucket"] >= 3',
    'ex.inputs_plaintext.includes("number 1")',
    "ex.relation === 'capital' || ex.c4_frequency < 1000",
]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """The viewer's page, of another origin: another port of this machine."""
    (tmp_path / "index.html").write_text(VIEWER)
    with sharing(tmp_path) as served:
        yield f"{served}/"


@pytest.mark.parametrize("source", FILTERS)
def test_a_viewer_of_this_machine_shows_a_run_as_we_do(
    page: Page, paper: str, elsewhere: str, source: str
) -> None:
    """It was refused: no Access-Control-Allow-Origin. By address alone it has the run; its list and its panel equal ours."""
    asked = {"jsonl_path": f"{paper}/api/v1/runs/paper-trackstar.jsonl", "data_filter": source}
    page.goto(f"{elsewhere}?{urlencode(asked)}")
    page.wait_for_selector("body[data-shown], body[data-failed]", state="attached")
    assert page.locator("body").get_attribute("data-failed") is None
    listed = page.locator("#examples li").all_inner_texts()
    theirs = dict(
        zip(*(page.locator(f"#metrics {tag}").all_inner_texts() for tag in ("dt", "dd")), strict=True)
    )

    ours = listing(page, paper, source)
    items = ours["items"]
    assert [plain(each) for each in listed] == [plain(f"{each['text']} {each['target']}") for each in items]
    summary = ours["summary"]
    figures = {
        f"{by}{name}": summary[f"{by}{ours}"]
        for by in ("", "ais_")
        for name, ours in (
            ("recall@10", "recall_at_10"),
            ("precision@10", "precision_at_10"),
            ("mrr_first", "mrr"),
        )
    }
    assert theirs == {name: f"{value:.3f}" for name, value in figures.items()}
    assert len(listed) == summary["prompts"] > 5

    page.goto(f"{paper}/prompts?{urlencode({'run': 'paper-trackstar', 'where': source})}")
    assert theirs["mrr_first"].rstrip("0") in page.locator("p.summary").inner_text().replace("\u00a0", " ")


def listing(page: Page, site: str, source: str) -> dict[str, Any]:
    """Our list under the same expression."""
    asked = urlencode({"run": "paper-trackstar", "where": source, "limit": 1000})
    answer = page.request.get(f"{site}/api/v1/prompts?{asked}")
    assert answer.ok, answer.text()
    found: dict[str, Any] = json.loads(answer.body())["listing"]
    return found


def plain(text: str) -> str:
    """As a page shows it: white space that repeats is one space."""
    return " ".join(text.replace("\0", "\ufffd").split())
