"""What each prompt adds to a figure, kept as columns: the same as read anew, and no more of it sorted than a page shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.evaluation import shares as kept_shares
from app.evaluation.judged import Judged, judged_prompts
from app.evaluation.report import evaluate_runs
from app.evaluation.shares import Shares, kinds_column, shares_of
from app.store.engine import Store
from app.store.runs import get_run, list_runs
from app.store.tables import KeptShare, Retrieved
from app.web.judging.evaluation_prompts import leading
from app.words.measures import LABELS
from app.words.slices import EVALUATED
from tests.support.seeded import fill

ALL = [*LABELS, *EVALUATED, *map(kinds_column, range(1, 12))]


@pytest.fixture
def evaluated(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Runs large enough to be kept, in batches that end inside them, evaluated."""
    monkeypatch.setattr("app.evaluation.shares.KEPT_FROM", 1)
    monkeypatch.setattr("app.evaluation.judged.AT_ONCE", 7)
    with store.session() as session:
        fill(session, prompts=40, passages=60)
    with store.session() as session:
        evaluate_runs(session, list_runs(session))
    return store


def test_kept_columns_are_those_of_the_judgements(evaluated: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a page reads no judgement for them."""
    with evaluated.session() as session:
        for run in list_runs(session):
            fresh = Shares.of(judged_prompts(session, run))
            with monkeypatch.context() as patched:
                patched.setattr(kept_shares, "judged_prompts", None)
                found = shares_of(session, run, ALL)
            assert found.prompts.tolist() == fresh.prompts.tolist()
            assert found.values.keys() == fresh.values.keys() == LABELS.keys()
            for name, column in fresh.values.items():
                np.testing.assert_array_equal(found.values[name], column)
            for name, part in fresh.parts.items():
                assert found.parts[name].codes.tolist() == part.codes.tolist()
                assert found.parts[name].names == part.names
            for rank in range(1, 12):
                assert found.kinds_at(rank).tolist() == fresh.kinds_at(rank).tolist()


def test_what_changed_since_is_read_anew(evaluated: Store) -> None:
    """A run that is evaluated again has other figures; until then what was kept is of the run as it was judged."""
    with evaluated.session() as session:
        run = list_runs(session)[0]
        before = shares_of(session, run, ["mrr"]).values["mrr"]
        session.query(Retrieved).update({Retrieved.correct: False})
    with evaluated.session() as session:
        evaluate_runs(session, list_runs(session))
    with evaluated.session() as session:
        after = shares_of(session, get_run(session, run.slug), ["mrr"]).values["mrr"]
    assert np.nansum(before) > np.nansum(after) == 0


def test_a_run_that_is_removed_takes_its_columns_with_it(evaluated: Store) -> None:
    with evaluated.session() as session:
        for run in list_runs(session):
            session.delete(run)
    with evaluated.session() as session:
        assert session.scalars(select(KeptShare.name)).all() == []


def test_lists_of_different_lengths_have_their_types_by_rank() -> None:
    """A word that a file brought of its own is none of the types; a prompt without passages has none."""
    kinds: list[list[str | None]] = [["states", None, "own word", "none"], [], ["both"]]
    made = Shares.of(Judged(n, "fact", kinds=each) for n, each in enumerate(kinds))
    assert [made.kinds_at(rank).tolist() for rank in range(1, 6)] == [
        [1, 0, 2],
        [0] * 3,
        [0] * 3,
        [7, 0, 0],
        [0] * 3,
    ]


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, -3.0]), max_size=40),
    st.integers(0, 45), st.integers(1, 10), st.booleans(),
)  # fmt: skip
def test_a_page_of_a_long_order_is_that_of_the_whole_order(
    values: list[float], first: int, count: int, lowest: bool
) -> None:
    """Ties stand in the run's order on whichever page they fall."""
    whole = sorted(range(len(values)), key=lambda row: values[row] if lowest else -values[row])
    found = leading(np.array(values), first, count, lowest=lowest)
    assert found.tolist() == whole[first : first + count]
