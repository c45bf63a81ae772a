"""What is kept of a large run is what its tables say, and is read only while it is; a search stops where a list ends."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.store import browse, columns, searching
from app.store.browse import Filters
from app.store.column_reading import ReadColumns, read_columns
from app.store.columns import columns_of, keep_columns
from app.store.engine import Store, open_store
from app.store.filters import FIELDS, Compare
from app.store.full_text import first_prompts
from app.store.kept_arrays import unpacked
from app.store.models import put_outputs
from app.store.most_found import most_found
from app.store.runs import get_run, list_runs
from app.store.slicing import SORTS, joined
from app.store.tables import KeptColumn, Prompt, Result, Retrieved, Run
from app.store.taking_down import take_down
from tests.support.databases import DATABASES, filled_database
from tests.support.seeded import fill


@pytest.fixture(params=DATABASES)
def url(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    migrated_sqlite: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A small library, whose runs count as large."""
    monkeypatch.setattr(columns, "KEPT_FROM", 20)
    return filled_database(request, tmp_path, migrated_sqlite, partial(fill, prompts=24, passages=300, k=4))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    keep_columns(opened.engine)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def restarted(url: str, store: Store) -> Iterator[Store]:
    """A process that remembers nothing yet; `store` has kept what it is to find."""
    opened = open_store(url)
    yield opened
    opened.engine.dispose()


def same(session: Session, run: Run, read: ReadColumns) -> bool:
    """Whether the columns that pages get are these."""
    found = columns_of(session, [run])[run.id]
    tallies = ((one.codes, one.sums) for one in (found.tally, read.tally))
    return (
        all(np.array_equal(found.array(n), a, equal_nan=n == "patches") for n, a in read.arrays.items())
        and all(np.array_equal(*pair) for pair in zip(*tallies, strict=True))
        and found.tally.values == read.tally.values
    )


def spoil(session: Session, run: Run) -> None:
    """Change a result behind the store's back: whoever still sees what was there reads what was kept."""
    session.execute(
        update(Result).where(Result.run_id == run.id).values(top_score=0.0, first_correct_rank=None)
    )


def test_what_is_kept_is_what_the_tables_say(restarted: Store) -> None:
    with restarted.session() as session:
        run = get_run(session, "trackstar")
        read = ReadColumns.of(*read_columns(session, [run]))
        spoil(session, run)
        assert same(session, run, read)


def test_the_passages_found_most_are_kept_as_counted(restarted: Store) -> None:
    """A run of a million prompts has ten million rows to count, and its page did that each time."""
    with restarted.session() as session:
        run = get_run(session, "trackstar")
        counted = columns.counted_now(session, run)
        session.execute(delete(Retrieved))  # behind the store's back
        assert [(passage.id, times) for passage, times in most_found(session, run)] == counted[:10]


def test_new_answers_make_it_old(restarted: Store) -> None:
    with restarted.session() as session:
        run = get_run(session, "trackstar")
        prompt = browse.first(session, run, Filters(right="no"), "", 1)[0].prompt
        said = {"answer": "so", "correct": True, "probability": 0.5, "confidence": 1.0, "samples": []}
        put_outputs(session, run.model_id, [{"prompt_id": prompt.id, **said}])
    with restarted.session() as session:  # a request later
        run = get_run(session, "trackstar")
        wrong = browse.first(session, run, Filters(right="no"), "", 100)
        assert prompt.id not in [row.prompt.id for row in wrong]
        kept = select(KeptColumn.state).where(KeptColumn.run_id == run.id).distinct()
        assert session.scalars(kept).all() == [columns.mark_of(run)]  # and what is kept was made anew at once


def test_a_removed_prompt_is_in_nothing_that_is_kept(store: Store) -> None:
    with store.session() as session:
        run = get_run(session, "trackstar")
        gone = browse.first(session, run, Filters(), "", 1)[0].prompt
        take_down(session, "prompt", f"{run.slug}/{gone.slug}", "a name")
    with store.session() as session:
        run = get_run(session, "trackstar")
        assert gone.id not in columns_of(session, [run])[run.id].array("prompts")
        assert gone.id not in unpacked(session.get_one(KeptColumn, (run.id, "prompts")).data)


@pytest.mark.parametrize("sort", ["", *SORTS])
def test_pages_there_and_back_make_the_list(store: Store, sort: str) -> None:
    """However it is sorted, and wherever the reader turns round; ties stand in the run's order."""
    with store.session() as session:
        run = get_run(session, "trackstar")
        listing = browse.listed(session, run, Filters(task="fact"), sort)
        whole = [row.result.position for row in browse.read(session, listing, 0, len(listing))]
        value = SORTS[sort][0]() if sort else Result.position
        rows = session.execute(
            joined().add_columns(Result.position, value).where(Result.run_id == run.id, Prompt.task == "fact")
        ).all()
        down = -1 if sort and SORTS[sort][1] else 1
        assert whole == [position for position, _ in sorted(rows, key=lambda row: (down * row[1], row[0]))]
        there: list[int] = []
        while browse.window(session, listing, after=there[-1] if there else None, limit=5).rows:
            page = browse.window(session, listing, after=there[-1] if there else None, limit=5)
            there += [row.result.position for row in page.rows]
        back: list[int] = []
        page = browse.window(session, listing, before=-1, limit=5)
        while page.rows:
            back = [row.result.position for row in page.rows] + back
            page = browse.window(session, listing, before=back[0], limit=5)
        assert there == back == whole


def test_a_reader_who_comes_from_a_prompt_that_the_list_leaves_out_goes_on_from_its_place(
    store: Store,
) -> None:
    with store.session() as session:
        run = get_run(session, "trackstar")
        everything = browse.listed(session, run, Filters(), "score")
        facts = browse.listed(session, run, Filters(task="fact"), "score")
        order = everything.positions(0, len(everything))
        kept = facts.positions(0, len(facts))
        left_out = next(each for each in order if each not in kept)
        behind = [each for each in order[order.index(left_out) :] if each in kept]
        found = browse.window(session, facts, after=left_out, limit=100)
        assert [row.result.position for row in found.rows] == behind


def test_a_search_stops_where_a_list_ends_and_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of prompts and of answers, an expression, and both; whoever exports gets all of them."""
    with store.session() as session:
        run = get_run(session, "trackstar")
        known = Compare(FIELDS["probability"], ">", 0.0)
        for filters in (Filters(q="the"), Filters(where=known), Filters(q="the", where=known)):
            monkeypatch.setattr(searching, "MOST", 1_000)
            everything = browse.listed(session, run, filters, most=None)
            assert len(everything) > 3
            for most in (len(everything), len(everything) - 1, 2):
                found = browse.listed(session, run, filters, most=most)
                assert (len(found), found.more) == (most, most < len(everything))
                assert set(found.rows) <= set(everything.rows)


def test_a_search_in_a_run_over_a_few_prompts_goes_beyond_what_other_runs_have(store: Store) -> None:
    """The first prompts of the set with the word are not in this run: they do not use up what it may find."""
    with store.session() as session:
        run = get_run(session, "trackstar")
        last = session.scalar(select(func.max(Result.position)).where(Result.run_id == run.id))
        session.execute(
            update(Run).where(Run.id == run.id).values(prompt_count=1)
        )  # what makes its columns old
        for result in session.scalars(select(Result).where(Result.run_id == run.id, Result.position < last)):
            session.delete(result)
    with store.session() as session:
        run = get_run(session, "trackstar")
        word = browse.first(session, run, Filters(), "", 1)[0].prompt.text.split()[0]
        assert len(browse.listed(session, run, Filters(q=word), most=1)) == 1


def test_runs_share_what_is_found_of_their_prompts(store: Store) -> None:
    with store.session() as session:
        runs = [run for run in list_runs(session) if run.slug != "hostile"]
        for run, (tally, found) in zip(
            runs, browse.tallied(session, runs, Filters(q="capital")).values(), strict=True
        ):
            assert found is not None
            assert tally.count({}) == len(browse.listed(session, run, Filters(q="capital"), most=None)) > 0


@pytest.mark.parametrize("limit", [None, 100])
def test_what_is_found_comes_thousands_at_a_time(store: Store, limit: int | None) -> None:
    """It came one by one, and of a word in ten thousand prompts that took longer than to find them."""
    with store.session() as session:
        run = get_run(session, "trackstar")
        parts = list(first_prompts(session, "the", run.prompt_set_id, 0, limit))
        assert [len(part) > 3 for part in parts] == [True]
