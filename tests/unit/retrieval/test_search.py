"""Every way of searching finds what a plain matrix product finds."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import UserError
from app.retrieval.kinds import APPROXIMATE, KINDS
from app.retrieval.search import open_search
from app.retrieval.torch_search import TorchSearch
from app.trackstar.config import EncodingConfig
from app.trackstar.index import TrackstarIndex
from app.trackstar.manifest import ContentIdentity, IndexManifest

DIMENSION, ROWS = 64, 1_500


def index_of(path: Path, rows: np.ndarray, *, scale: float = 1.0, shard: int = 400) -> TrackstarIndex:
    """An index of these rows in shards, as `open_index` gives it."""
    stored = (rows * scale).astype(np.float16)
    manifest = IndexManifest(
        model=ContentIdentity("m", "0"), corpus=ContentIdentity("c", "0"), method=EncodingConfig(groups=1, projection_dim=4),
        dimension=rows.shape[1], second_moments=None, hessian=None, row_scale=scale,
        counts={"passages": len(rows)}, zero_rows=[int(r) for r in np.flatnonzero(~stored.any(1))],
        shards=[], files={}, build={},
    )  # fmt: skip
    return TrackstarIndex(path, manifest, [stored[at : at + shard] for at in range(0, len(rows), shard)])


@pytest.fixture(autouse=True, params=[1, 3], ids=["one core", "three cores"])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are cut among cores where there are many; what is found does not depend on it."""
    monkeypatch.setattr("app.retrieval.search.THREADS", request.param)
    monkeypatch.setattr("app.retrieval.search.WORTH_A_THREAD", DIMENSION)


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
@pytest.mark.parametrize("kind", ["exact", "float32", "torch"])
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


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_can_be_asked_for(tmp_path: Path, rows: np.ndarray, queries: np.ndarray, kind: str) -> None:
    """More than any core has: every row comes once, the blank one never."""
    scores, found = open_search(index_of(tmp_path, rows), kind).search(queries[:1], ROWS + 5)
    assert sorted(found[0].tolist()) == [-1] * 6 + sorted({*range(ROWS)} - {7})
    assert (np.diff(scores[0, : ROWS - 1]) <= 0).all()


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_small_kinds_rank_again_from_the_stored_rows(
    tmp_path: Path, rows: np.ndarray, queries: np.ndarray, kind: str
) -> None:
    """What a quantiser keeps decides only who is a candidate: scores are exact, and few of the best are missed."""
    scores, found = open_search(index_of(tmp_path, rows), kind).search(queries, 10)
    wanted_scores, wanted = brute(rows, queries, 10)
    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, wanted, strict=True)])
    assert shared >= 0.9
    assert np.allclose(scores[:, 0], wanted_scores[:, 0], atol=1e-5)
    file = tmp_path / f"search-{kind}.faiss"
    assert file.is_file(), "trained once, then read"
    for keep in (None, 100):
        file.write_bytes(file.read_bytes()[:keep])  # cut short, it is trained again
        again = open_search(index_of(tmp_path, rows), kind).search(queries, 10)
        assert again[1].tolist() == found.tolist()


def test_a_disk_that_cannot_be_written_still_searches(
    tmp_path: Path, rows: np.ndarray, queries: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    """As with word indexes and embeddings: the answer is right, it is only not kept."""
    gone = tmp_path / "gone"
    assert open_search(index_of(gone, rows), "int8").search(queries, 10)[1].shape == (3, 10)
    assert "could not be kept" in caplog.text
    assert not gone.exists()


def test_equal_rows_stand_in_row_order(tmp_path: Path, rows: np.ndarray) -> None:
    """Two passages with one encoding must not change places between two runs."""
    _, found = open_search(index_of(tmp_path, rows)).search(rows[20:21], 2)
    assert found.tolist() == [[20, 900]]


@pytest.mark.parametrize("opponents", [False, True])
@pytest.mark.parametrize("kind", ["exact", "float32", "torch"])
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
