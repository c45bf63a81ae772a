"""Lists look at a part of the rows, say which and what it finds, and are refused where that is most of them."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import UserError
from app.retrieval.lists import ENOUGH, FILES, MOST
from app.retrieval.search import Search, open_search, part_of, prepare
from app.trackstar.index import TrackstarIndex, open_index
from app.trackstar.shards import keep_rows
from tests.support.indexes import index_of

DIMENSION, ROWS, GROUPS = 64, 2_000, 40
BLANK = 7


@pytest.fixture(autouse=True, params=[1, 3], ids=["one core", "three cores"])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are shared out among cores where there are many; what is found does not depend on it."""
    monkeypatch.setattr("app.retrieval.scan.THREADS", request.param)
    monkeypatch.setattr("app.retrieval.scan.WORTH_A_THREAD", DIMENSION)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


MIDDLES = unit(np.random.default_rng(0).normal(size=(GROUPS, DIMENSION)))


def near_middles(count: int, seed: int, noise: float = 0.06) -> np.ndarray:
    """Unit rows in groups."""
    rng = np.random.default_rng(seed)
    middles = MIDDLES[rng.integers(0, GROUPS, count)]
    return unit(middles + noise * rng.normal(size=(count, DIMENSION)))


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """One is blank, two are equal."""
    made = near_middles(ROWS, 1)
    made[BLANK] = 0
    made[900] = made[20]
    return made


ASKED, HELD_OUT = near_middles(128, 2), near_middles(200, 3)


def lists_of(index: TrackstarIndex, asked: np.ndarray = ASKED) -> Search:
    """A search by lists, which are made with these questions."""
    prepare(index.path, "lists", lambda _: asked)
    return open_search(index, "lists")


def shared(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(
        np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), wanted.tolist(), strict=True)])
    )


def test_what_is_stated_is_found_for_other_questions_in_a_part_of_the_rows(
    tmp_path: Path, rows: np.ndarray
) -> None:
    """Scores are the exact kind's to the last bit; the manifest and the search say the same."""
    index = index_of(tmp_path, rows)
    search = lists_of(index)
    part = part_of(search)
    assert part is not None
    assert part.lists < part.of
    assert part.share < 0.2
    assert part.recall >= ENOUGH
    assert part_of(open_search(index)) is None
    scores, found = search.search(HELD_OUT, 10)
    exact, wanted = open_search(index).search(HELD_OUT, 10)
    assert shared(found, wanted) >= part.recall - 0.02
    for own, ids, mine, theirs in zip(scores, found, exact, wanted, strict=True):
        known = dict(zip(theirs.tolist(), mine.tolist(), strict=True))
        assert all(
            known.get(row, score) == score for row, score in zip(ids.tolist(), own.tolist(), strict=True)
        )
    assert f"{part.recall:.1%}" in part.said
    assert f"{part.share:.0%}" in part.said


def test_rows_without_groups_are_refused_with_what_it_would_take(tmp_path: Path) -> None:
    """Whitened gradients of a small corpus are so: most would be looked at, and the page would still say a part."""
    rng = np.random.default_rng(4)
    index = index_of(tmp_path, unit(rng.normal(size=(ROWS, DIMENSION))))
    asked = unit(rng.normal(size=(128, DIMENSION)))
    with pytest.raises(
        UserError, match=r"“lists” has to look at \d+% of these rows to find 0\.9\d+"
    ) as caught:
        lists_of(index, asked)
    assert int(caught.value.message.split("at ")[1].split("%")[0]) > 100 * MOST
    assert "rabitq2 or exact" in caught.value.remedy
    assert not list(tmp_path.glob("*lists*")), "and nothing half made is left"


def test_the_questions_decide_not_the_rows(tmp_path: Path, rows: np.ndarray) -> None:
    """Questions that point to no group take more of the same lists, and are measured anew where they are given."""
    index = index_of(tmp_path, rows)
    near = part_of(lists_of(index))
    apart = part_of(lists_of(index, unit(np.random.default_rng(5).normal(size=(128, DIMENSION)))))
    assert near is not None
    assert apart is not None
    assert apart.share > 2 * near.share


def test_opponents_are_looked_for_among_all(tmp_path: Path, rows: np.ndarray) -> None:
    """They lie in no one place; few of the nearest lists of the negated question have them."""
    index = index_of(tmp_path, rows)
    _, found = lists_of(index).search(HELD_OUT, 10, opponents=True)
    _, coded = open_search(index, "rabitq2").search(HELD_OUT, 10, opponents=True)
    _, wanted = open_search(index).search(HELD_OUT, 10, opponents=True)
    assert shared(found, wanted) >= shared(coded, wanted) > 0.97


@pytest.mark.parametrize("opponents", [False, True])
def test_more_lists_are_looked_at_where_more_is_asked_for(
    tmp_path: Path, rows: np.ndarray, opponents: bool
) -> None:
    """More than there are: every row comes once, the blank one never."""
    search = lists_of(index_of(tmp_path, rows))
    scores, found = search.search(HELD_OUT[:2], ROWS + 5, opponents=opponents)
    for own in found.tolist():
        assert sorted(own) == [-1] * 6 + sorted({*range(ROWS)} - {BLANK})
    assert (np.diff(scores[:, : ROWS - 1] * (-1 if opponents else 1)) <= 0).all()
    _, many = search.search(HELD_OUT[:2], 300)
    assert (many >= 0).all()


def test_equal_rows_stand_in_row_order_and_company_changes_nothing(tmp_path: Path, rows: np.ndarray) -> None:
    search = lists_of(index_of(tmp_path, rows))
    assert search.search(rows[20:21], 2)[1].tolist() == [[20, 900]]
    together = search.search(HELD_OUT[:5], 7)[1]
    assert [search.search(each[None], 7)[1][0].tolist() for each in HELD_OUT[:5]] == together.tolist()


def test_lists_made_twice_are_the_same_to_the_byte_also_after_a_kill(
    tmp_path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process left is gone on with: neither k-means nor the codes that are there are made again."""
    monkeypatch.setattr("app.retrieval.codes.FILE_BYTES", 400 * 30)
    one, two = index_of(tmp_path / "one", rows), index_of(tmp_path / "two", rows)
    wanted = lists_of(one).search(HELD_OUT, 10)

    def stop(file: Path, start: int, rows: np.ndarray) -> object:
        if start:
            raise KeyboardInterrupt
        return keep_rows(file, start, rows)

    with monkeypatch.context() as killed:
        killed.setattr("app.retrieval.codes.keep_rows", stop)
        with pytest.raises(KeyboardInterrupt):
            lists_of(two)
    left = {each: each.stat().st_mtime_ns for each in (tmp_path / "two" / ".lists.building").glob("c*.npy")}
    assert {each.name for each in left} == {"centroids.npy", "codes-00000.npy"}
    found = lists_of(two).search(HELD_OUT, 10)
    place = tmp_path / "two" / "lists"
    assert all((place / file.name).stat().st_mtime_ns == time for file, time in left.items())
    files = sorted((tmp_path / "one" / "lists").iterdir())
    assert {*FILES, "manifest.json", "quantiser.faiss"} < {file.name for file in files}
    assert [file.name for file in files] == sorted(file.name for file in place.iterdir())
    assert all(file.read_bytes() == (place / file.name).read_bytes() for file in files)
    assert [part.tolist() for part in found] == [part.tolist() for part in wanted]


@pytest.mark.parametrize("name", [*FILES, "codes-00000.npy"])
def test_damage_is_named(tmp_path: Path, rows: np.ndarray, name: str) -> None:
    """Changed bits would name other rows."""
    index = index_of(tmp_path, rows)
    lists_of(index)
    file = tmp_path / "lists" / name
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match="checksum") as caught:
        open_search(open_index(tmp_path), "lists").search(HELD_OUT, 10)
    assert caught.value.file == str(file)


def test_lists_are_not_made_without_questions_nor_of_few_rows(tmp_path: Path, rows: np.ndarray) -> None:
    index = index_of(tmp_path / "many", rows)
    with pytest.raises(UserError, match="measured with questions") as caught:
        open_search(index, "lists")
    assert "startrail reindex many --index lists --prompts" in caught.value.remedy
    with pytest.raises(UserError, match="10 questions are too few"):
        lists_of(index, ASKED[:10])
    with pytest.raises(UserError, match="at least 1,000, and this index has 499"):
        lists_of(index_of(tmp_path / "few", rows[:500]))
    assert not [*tmp_path.glob("*/.lists*"), *tmp_path.glob("*/lists")], "and nothing half made is left"
