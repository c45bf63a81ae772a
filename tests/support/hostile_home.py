"""A home whose every text is hostile, and the addresses that show it: for walks over all routes, in process and in a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from app.store import batches, jobs, leases
from app.store.engine import open_store
from app.web.loading.imports import ImportProblem
from tests.support.hostile import fill_hostile
from tests.support.routes import filled, page_of
from tests.support.seeded import fill

# What pages show besides their first view, by the route.
QUERIES = {
    "/prompts": ["?run=hostile-long", "?run=hostile-long&q=cedi&sort=score", "?run=hostile&q=%3Cscript%3E"],
    "/random": ["?run=hostile-long"],
    "/go": ["?run=hostile-long&n=2"],
    "/compare": ["", "?runs=hostile-long,hostile-too"],
    "/compare/{slug}": ["?runs=hostile-long,hostile-too"],
    "/compare/{slug}/card.png": ["?runs=hostile-long,hostile-too"],
    "/runs/{slug}/prompts/{prompt}": ["", "?view=verbatim", "?view=plain"],
    "/traces/{trace_id}": ["", "?view=all", "?view=sides", "?view=verbatim", "?since={trace}"],
    "/traces/{trace_id}/events": ["", "?view=all", "?since={trace}"],
    "/trace": ["", "?from_={trace}"],
    "/evaluation/prompts": ["?run=hostile&kind=states", "?run=hostile-long&measure=mrr"],
    "/passages/{id}": ["", "?run=hostile-long"],
    "/oembed": ["?url=http://testserver/runs/hostile-long/prompts/{step}"],
}


def fill_hostile_home(home: Path, migrated: Path) -> dict[str, list[str]]:
    """Put a store of hostile texts into a home; returns what its addresses are made of."""
    shutil.copy(migrated, home / "startrail.db")
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        fill(session, prompts=8, passages=100)
        values = fill_hostile(session)
        request = {"file": "<script>\ufffd.jsonl" * 40, "run": "<b>run</b>" * 40}
        loaded = jobs.add(session, "import", request, limit=9, worker="tester").id
        leases.claim(session, "tester", 1, ["import"])
        problem = ImportProblem(message="</p><script>" * 200, remedy="\0", field="<i>", line=3)
        assert leases.fail(session, loaded, "tester", problem.model_dump())
        traces = values["trace_id"]
        values["batch_id"] = [batches.add(session, traces, [False] * len(traces))]
    store.engine.dispose()
    # Only the runs whose prompts they are have the prompts; `hostile` has its own pages in tests of the pages.
    values |= {
        "id_": [loaded],
        "kind": ["bib", "txt", "json"],
        "/finds/{kind}:kind": ["words-mislead", "taught-by-another", "known-from-one"],
        "/sitemap-{id}.xml:id": ["0", "1"],
        "slug": values["run"][:1],
        "run": values["run"][:1],  # the other one says the same, for comparing
    }
    values |= dict.fromkeys(("/compare/{slug}:slug", "/compare/{slug}/card.png:slug"), values["prompt"])
    values |= {
        "/models/{name}:name": ["demo-4m"],
        "/corpora/{name}:name": ["hostile", "hostile-long", "demo"],
    }
    return values


def addresses(path: str, values: dict[str, list[str]]) -> Iterator[str]:
    """Every page in all its views, and the other forms of a page in its first."""
    page = page_of(path)
    queries = QUERIES.get(page, [""])
    for place in filled(path, values):
        for query in queries if page == path else queries[:1]:
            yield place + query.format(trace=values["trace_id"][0], step=values["prompt"][0])
