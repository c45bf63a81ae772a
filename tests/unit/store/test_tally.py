"""The tally's sums against counting row by row, on both databases."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from app.store import browse
from app.store.browse import Filters, ListedResult
from app.store.engine import Store, open_store
from app.store.phrases import phrase_counts
from app.store.runs import list_runs
from app.store.tables import Passage
from app.store.tally import NAMES
from tests.support.databases import DATABASES, filled_database
from tests.support.seeded import fill

CHOICES: tuple[dict[str, str], ...] = (
    {},
    {"task": "fact"},
    {"right": "yes"},
    {"task": "fact", "right": "no"},
    {"relation": "capital", "ais": "high"},
)


def values(row: ListedResult) -> dict[str, str | None]:
    """A row's facet values as the documentation of the facets says them."""
    output, result, prompt = row.output, row.result, row.prompt
    judged = prompt.task == "fact" or (prompt.frequency or 0) > 0 or prompt.stated is False
    stated = (
        "yes"
        if result.first_correct_rank or (result.best_ais or 0) > 0.5
        else "no"
        if judged or result.best_ais is not None
        else None
    )
    return {
        "task": prompt.task,
        "relation": prompt.relation,
        "frequency": None if prompt.frequency_bucket is None else str(prompt.frequency_bucket),
        "right": None if output is None or output.correct is None else "yes" if output.correct else "no",
        "confidence": None
        if output is None or output.confidence is None
        else "high"
        if output.confidence >= 0.5
        else "low",
        "stated": stated,
        "ais": None if result.best_ais is None else "high" if result.best_ais > 0.5 else "low",
    }


@pytest.fixture(scope="module", params=DATABASES)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Store]:
    """A small library, which these tests only read."""
    few = partial(fill, prompts=24, passages=300, k=4)
    opened = open_store(filled_database(request, tmp_path_factory.mktemp("tally"), migrated_sqlite, few))
    yield opened
    opened.engine.dispose()


def test_facets_count_what_choosing_each_value_would_leave(filled: Store) -> None:
    with filled.session() as session:
        runs = list_runs(session)
        found = browse.tallies(session, runs)
        for run, chosen in product(runs, CHOICES):
            rows = [values(row) for row in browse.first(session, run, Filters(), "", 10_000)]
            facets = found[run.id].facets(chosen)
            for name in NAMES:
                others = {key: value for key, value in chosen.items() if key != name}
                left = [row[name] for row in rows if all(row[k] == v for k, v in others.items())]
                counted = Counter(value for value in left if value is not None)
                assert {each.value: each.count for each in facets[name] if each.count} == counted
            assert found[run.id].count(chosen) == sum(all(r[k] == v for k, v in chosen.items()) for r in rows)


def test_a_value_that_is_chosen_is_shown_even_if_nothing_has_it(filled: Store) -> None:
    """Otherwise the reader could not drop it again."""
    with filled.session() as session:
        tally = browse.tallies(session, list_runs(session)[:1])
        (only,) = tally.values()
        assert [
            each.count
            for each in only.facets({"relation": "nonsense"})["relation"]
            if each.value == "nonsense"
        ] == [0]


def test_a_search_narrows_all_facets(filled: Store) -> None:
    with filled.session() as session:
        run = list_runs(session)[0]
        filters = Filters(q="capital")
        total = browse.count(session, run, filters)
        assert total == len(browse.first(session, run, filters, "", 1_000)) > 0
        assert sum(each.count for each in browse.tally(session, run, filters).facets({})["task"]) == total


def test_a_run_without_results_has_no_numbers(filled: Store) -> None:
    with filled.session() as session:
        run = list_runs(session)[0]
        empty = browse.tally(session, run, Filters(q="zyzzyva"))
        assert empty.count({}) == 0
        assert empty.summary({}).mrr is None
        assert empty.summary({}).right is None


def test_a_phrase_is_counted_where_its_words_stand_together(filled: Store) -> None:
    with filled.session() as session:
        run = list_runs(session)[0]
        texts = [p.text.lower() for p in session.query(Passage).where(Passage.corpus_id == run.corpus_id)]
        counts = phrase_counts(session, run.corpus_id, ["the capital of", "capital the of", "!?"])
        assert counts["the capital of"] == sum(" the capital of " in f" {text} " for text in texts) > 0
        assert counts["capital the of"] == 0
        assert "!?" not in counts
