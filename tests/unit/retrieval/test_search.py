"""Every way of searching finds what a plain matrix product finds."""

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.errors import UserError
from app.retrieval.kinds import KINDS, RETIRED
from app.retrieval.search import open_search
from app.retrieval.torch_search import TorchSearch
from app.trackstar.index import open_index
from tests.support.indexes import index_of

DIMENSION, ROWS = 64, 1_500
WHOLE = [
    name for name, kind in KINDS.items() if not kind.in_lists
]  # those that look at a part: test_lists.py
SMALL = [name for name in WHOLE if KINDS[name].coding]


@pytest.fixture(autouse=True, params=[1, 3], ids=["one core", "three cores"])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are cut among cores where there are many; what is found does not depend on it."""
    monkeypatch.setattr("app.retrieval.scan.THREADS", request.param)
    monkeypatch.setattr("app.retrieval.scan.WORTH_A_THREAD", DIMENSION)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Unit rows with a falling spectrum, as encodings have; one is blank, two are equal."""
    rng = np.random.default_rng(0)
    made = rng.normal(size=(ROWS, DIMENSION)) * np.linspace(1, 0.1, DIMENSION)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    made[7] = 0
    made[900] = made[20]
    return made.astype(np.float32)


@pytest.fixture(scope="module")
def queries(rows: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    made = rows[[20, 3, 600]] + 0.05 * rng.normal(size=(3, DIMENSION))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def brute(rows: np.ndarray, queries: np.ndarray, k: int, sign: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k best rows of the float16 rows by a float32 product; blank rows are out, ties by row."""
    scores = sign * queries @ rows.astype(np.float16).astype(np.float32).T
    scores[:, ~rows.any(1)] = -np.inf
    order = np.lexsort((np.broadcast_to(np.arange(len(rows)), scores.shape), -scores), axis=1)[:, :k]
    return sign * np.take_along_axis(scores, order, 1), order


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", ["exact", "torch"])
def test_exact_kinds_equal_the_matrix_product(
    tmp_path: Path, rows: np.ndarray, queries: np.ndarray, kind: str, sign: int
) -> None:
    """Proponents and opponents, over several shards and queries at once, are those of brute force."""
    index = index_of(tmp_path, rows)
    search = TorchSearch(index, "cpu") if kind == "torch" else open_search(index, kind)
    scores, found = search.search(queries, 10, opponents=sign < 0)
    wanted_scores, wanted = brute(rows, queries, 10, sign)
    assert found.tolist() == wanted.tolist()
    assert np.allclose(scores, wanted_scores, atol=1e-5)


@pytest.mark.parametrize("kind", WHOLE)
def test_all_rows_can_be_asked_for(tmp_path: Path, rows: np.ndarray, queries: np.ndarray, kind: str) -> None:
    """More than any core has: every row comes once, the blank one never."""
    scores, found = open_search(index_of(tmp_path, rows), kind).search(queries[:1], ROWS + 5)
    assert sorted(found[0].tolist()) == [-1] * 6 + sorted({*range(ROWS)} - {7})
    assert (np.diff(scores[0, : ROWS - 1]) <= 0).all()


@pytest.mark.parametrize("kind", SMALL)
def test_small_kinds_rank_again_from_the_stored_rows(
    tmp_path: Path, rows: np.ndarray, queries: np.ndarray, kind: str
) -> None:
    """Codes decide only who is a candidate: scores are the exact kind's to the last bit, and few of the best are missed."""
    index = index_of(tmp_path, rows)
    scores, found = open_search(index, kind).search(queries, 10)
    wanted_scores, wanted = open_search(index).search(queries, 10)
    exact = [
        dict(zip(a.tolist(), s.tolist(), strict=True)) for a, s in zip(wanted, wanted_scores, strict=True)
    ]
    shared = [own & set(mine) for own, mine in zip(map(set, found.tolist()), exact, strict=True)]
    assert np.mean([len(both) / 10 for both in shared]) >= 0.99
    for own, mine, both, rows_ in zip(scores.tolist(), exact, shared, found.tolist(), strict=True):
        assert all(own[rows_.index(row)] == mine[row] for row in both)


@pytest.mark.parametrize("kind", SMALL)
def test_codes_are_made_once_and_are_watched(
    tmp_path: Path, rows: np.ndarray, queries: np.ndarray, kind: str
) -> None:
    """A second process finds them there; changed bits would name candidates by noise, and are refused by name."""
    index = index_of(tmp_path, rows)
    found = open_search(index, kind).search(queries, 10)[1]
    file = tmp_path / kind / "codes-00000.npy"
    made = file.stat().st_mtime_ns
    assert open_search(open_index(tmp_path), kind).search(queries, 10)[1].tolist() == found.tolist()
    assert file.stat().st_mtime_ns == made
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match="checksum") as caught:
        open_search(open_index(tmp_path), kind).search(queries, 10)
    assert caught.value.file == str(file)


def test_codes_in_many_files_are_gone_on_with(
    tmp_path: Path, rows: np.ndarray, queries: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process killed while it coded leaves whole files; what is left is made, and the bytes are the same."""
    monkeypatch.setattr("app.retrieval.codes.FILE_BYTES", 400 * 30)
    one, two = index_of(tmp_path / "one", rows), index_of(tmp_path / "two", rows)
    wanted = open_search(one, "rabitq2").search(queries, 10)

    def stop(done: int, total: int) -> None:
        if done < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_search(two, "rabitq2", progress=stop)
    assert not (tmp_path / "two" / "rabitq2").exists()
    (left,) = (tmp_path / "two" / ".rabitq2.building").glob("codes-*.npy")
    before = left.stat().st_mtime_ns
    found = open_search(two, "rabitq2").search(queries, 10)
    assert (tmp_path / "two" / "rabitq2" / left.name).stat().st_mtime_ns == before
    codes = sorted((tmp_path / "one" / "rabitq2").iterdir())
    assert len(codes) > 4
    assert all(file.read_bytes() == (tmp_path / "two" / "rabitq2" / file.name).read_bytes() for file in codes)
    assert [part.tolist() for part in found] == [part.tolist() for part in wanted]


def test_a_kind_that_misses_too_many_is_refused_with_what_was_measured(
    tmp_path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pq was offered with a recall of 0.31; nobody could know."""
    monkeypatch.setattr("app.retrieval.recall.CANDIDATES", (2,))
    with pytest.raises(UserError, match=r"“rabitq1” finds 0\.\d+ of the ten best") as caught:
        open_search(index_of(tmp_path, rows), "rabitq1")
    assert "exact" in caught.value.remedy
    assert not list(tmp_path.glob("*rabitq1*")), "and nothing half made is left"


def test_candidates_are_enough_for_opponents_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that stand close to others find these among few; what points away from them is anybody, and was missed."""
    monkeypatch.setattr("app.retrieval.recall.CANDIDATES", (10, 20, 40, 80, 160, 320, 640))
    rng = np.random.default_rng(3)
    groups = rng.normal(size=(60, DIMENSION)).repeat(20, axis=0)
    close = groups + 0.2 * rng.normal(size=groups.shape)
    index = index_of(tmp_path, (close / np.linalg.norm(close, axis=1, keepdims=True)).astype(np.float32))
    asked = index.take(np.arange(0, 1_200, 7))
    exact, coded = open_search(index), open_search(index, "rabitq2")
    for opponents in (False, True):
        truth = exact.search(asked, 10, opponents=opponents)[1]
        found = coded.search(asked, 10, opponents=opponents)[1]
        shared = [len(set(a) & set(b)) / 10 for a, b in zip(truth.tolist(), found.tolist(), strict=True)]
        assert np.mean(shared) >= 0.99


def test_a_disk_that_cannot_be_written_still_searches(
    tmp_path: Path,
    rows: np.ndarray,
    queries: np.ndarray,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with word indexes and embeddings: the answer is right, it is only not kept."""
    index = index_of(tmp_path, rows)
    (tmp_path / ".rabitq2.lock").mkdir()  # root may write everywhere, but no file over a directory
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    search = open_search(index, "rabitq2")
    assert search.search(queries, 10)[1].shape == (3, 10)
    assert "could not be kept" in caplog.text
    assert not (tmp_path / "rabitq2").exists()
    del search
    gc.collect()
    assert not list(elsewhere.iterdir()), "what was made elsewhere goes with who searched it"


def test_equal_rows_stand_in_row_order(tmp_path: Path, rows: np.ndarray) -> None:
    """Two passages with one encoding must not change places between two runs."""
    _, found = open_search(index_of(tmp_path, rows)).search(rows[20:21], 2)
    assert found.tolist() == [[20, 900]]


@pytest.mark.parametrize("opponents", [False, True])
@pytest.mark.parametrize("kind", ["exact", "torch"])
def test_of_many_equal_rows_the_first_are_found(tmp_path: Path, kind: str, opponents: bool) -> None:
    """Corpora repeat themselves: neither k nor the cores decide which of the copies is named. Whole numbers: no rounding."""
    rng = np.random.default_rng(2)
    distinct = rng.integers(-1, 2, size=(40, DIMENSION)).astype(np.float32)
    rows = distinct[rng.integers(0, 40, size=ROWS)]
    rows[rng.integers(0, ROWS, size=30)] = 0
    index = index_of(tmp_path, rows)
    search = TorchSearch(index, "cpu") if kind == "torch" else open_search(index, kind)
    for k in (1, 3, 10, 50):
        _, found = search.search(distinct[:5], k, opponents=opponents)
        assert found.tolist() == brute(rows, distinct[:5], k, -1 if opponents else 1)[1].tolist()


def test_blank_passages_are_never_hits(tmp_path: Path, rows: np.ndarray) -> None:
    """A zero row scores 0 against everything, which would beat every opponent and many proponents."""
    few = np.concatenate([rows[5:9], -rows[:1]])
    index = index_of(tmp_path, few)
    for search in (open_search(index), TorchSearch(index, "cpu")):
        _, found = search.search(rows[:1], 5)
        assert 2 not in found[0]
        assert found[0, -1] == -1, "four rows can be hits, the fifth place stays empty"


def test_scores_are_those_of_the_encodings_not_of_the_scaled_rows(tmp_path: Path, rows: np.ndarray) -> None:
    """Methods without unit norm store their rows times a power of two."""
    scores, _ = open_search(index_of(tmp_path, rows, scale=8.0)).search(rows[:1], 1)
    assert np.allclose(scores[0, 0], 1.0, atol=1e-3)


def test_one_query_alone_finds_what_it_finds_in_company(
    tmp_path: Path, rows: np.ndarray, queries: np.ndarray
) -> None:
    """Batching is for speed; it must not show."""
    search = open_search(index_of(tmp_path, rows))
    together = search.search(queries, 7)[1]
    assert [search.search(query[None], 7)[1][0].tolist() for query in queries] == together.tolist()


def test_an_unknown_kind_names_those_there_are(tmp_path: Path, rows: np.ndarray) -> None:
    with pytest.raises(UserError) as error:
        open_search(index_of(tmp_path, rows), "hnsw")
    assert all(kind in error.value.remedy for kind in KINDS)


@pytest.mark.parametrize("kind", RETIRED)
def test_an_index_of_a_kind_that_is_gone_says_what_to_do(tmp_path: Path, rows: np.ndarray, kind: str) -> None:
    """Homes built before have them; their rows are as good as ever."""
    index = index_of(tmp_path, rows)
    old = replace(index, manifest=replace(index.manifest, search={"kind": kind, "faiss": "SQ4"}))
    with pytest.raises(UserError, match="no longer") as caught:
        open_search(old)
    assert f"--index {RETIRED[kind]}" in caught.value.remedy
    assert open_search(old, "exact").search(rows[:1], 1)[1].tolist() == [[0]]
