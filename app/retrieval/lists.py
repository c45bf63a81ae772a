"""Rows in lists of those that point the same way, so that a search looks at some lists only; and what that finds.

Centroids are those of spherical k-means over rows drawn at random, about √n of them, and a row is in the list of the
one with the highest inner product. A search looks at the lists whose centroids have the highest inner products with
the query (inverted file, Jégou et al. 2011, doi 10.1109/TPAMI.2010.57). Blank rows are in no list.

How many lists it takes is measured with questions, not with rows: a question's gradient is of a few tokens, and points
less to one place (benchmarks/lists.py). Where it takes most of the rows, lists are refused. Opponents are looked for in
all lists, for rows that point away from a query have nothing in common.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import numpy as np

from app.errors import UserError
from app.files import whole
from app.retrieval.faiss_package import faiss
from app.retrieval.ranking import PIECE, ScoresAndRows
from app.retrieval.recall import KnownBest, shuffled
from app.retrieval.scan import THREADS, CodeScan
from app.trackstar.index import TrackstarIndex
from app.trackstar.shards import drop_note, keep_rows, whole_shard
from app.words.partial import SearchedPart

CENTROIDS, ORDER, BOUNDS = "centroids.npy", "order.npy", "bounds.npy"
QUESTIONS = "questions.npy"  # (m, d) float32, as they were asked
FILES = (CENTROIDS, ORDER, BOUNDS, QUESTIONS)
LEAST = 1_000  # rows below which lists are not worth a name
LEAST_ASKED, MOST_ASKED = 64, 512  # questions, in two halves
ENOUGH = 0.9  # of the ten best, that either half has to find
MOST = 0.5  # of the rows; where it takes more, all can as well be looked at
PER_LIST = 256  # rows of a list that k-means sees, at most
TRAIN_BYTES = 1 << 32  # of rows that k-means sees, at most
SEED = 0
Questions = Callable[[TrackstarIndex], np.ndarray]
"""Encodes questions for an index: (m, d) float32."""


@dataclass(frozen=True)
class Lists:
    """Rows by list.

    Args:
        centroids: (lists, d) float32. order: (rows,) int64, rows by list, ascending in each.
        bounds: (lists + 1,) int64, where in `order` each list begins.
    """

    centroids: np.ndarray
    order: np.ndarray
    bounds: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Rows of each list."""
        return np.diff(self.bounds)

    def nearest(self, query: np.ndarray) -> np.ndarray:
        """All lists for one query (d,), those with the highest inner product first."""
        return np.argsort(-(self.centroids @ query), kind="stable")


def read_lists(place: Path) -> Lists:
    """The lists in a directory, mapped into memory."""
    return Lists(*(np.load(place / name, mmap_mode="r", allow_pickle=False) for name in FILES[:3]))


def questions_in(place: Path) -> np.ndarray:
    """The questions (m, d) that the lists in a directory were measured with."""
    return np.asarray(np.load(place / QUESTIONS, allow_pickle=False))


def make_lists(index: TrackstarIndex, work: Path, questions: Questions | None) -> Lists:
    """The lists of an index, made in a directory file by file, the questions beside them; what a killed process left is
    gone on with.

    Raises:
        UserError: there are too few rows, or too few questions to tell anything; nothing is then written.
    """
    usable = shuffled(index)
    if len(usable) < LEAST:
        raise UserError(
            f"“lists” is for many rows: at least {LEAST:,}, and this index has {len(usable):,}.",
            field="index",
            remedy="Use exact, which looks at all of so few in no time.",
        )
    if questions is None:
        raise UserError(
            "“lists” is measured with questions before it searches, and none are given here.",
            field="prompts",
            remedy=f"Make it first: startrail reindex {index.path.name} --index lists --prompts SET.",
        )
    asked = np.ascontiguousarray(questions(index), dtype=np.float32)
    if len(asked) < LEAST_ASKED:
        raise UserError(
            f"{len(asked):,} questions are too few to measure lists with: at least {LEAST_ASKED}.",
            field="prompts",
            remedy="Name a prompt set with more prompts.",
        )
    work.mkdir(exist_ok=True)
    _keep(work / QUESTIONS, asked)
    if not (work / CENTROIDS).is_file():
        _keep(work / CENTROIDS, _centroids(index, usable))
    centroids = np.load(work / CENTROIDS, allow_pickle=False)
    if not (work / BOUNDS).is_file():
        of = np.concatenate([_lists_of(index, centroids, number, work) for number in range(len(index.rows))])
        of[index.manifest.zero_rows] = -1
        order = np.argsort(of, kind="stable")[len(of) - len(usable) :]
        _keep(work / ORDER, order)
        _keep(work / BOUNDS, np.searchsorted(of[order], np.arange(len(centroids) + 1)))
    for left in work.glob("list-*.npy"):
        drop_note(left)
        left.unlink()
    return read_lists(work)


def _keep(file: Path, values: np.ndarray) -> None:
    with whole(file) as partial, partial.open("wb") as stream:
        np.save(stream, values)


def _centroids(index: TrackstarIndex, rows: np.ndarray) -> np.ndarray:
    """(lists, d) float32, of the first of these rows."""
    dimension = index.manifest.dimension
    lists = isqrt(len(rows))
    seen = max(lists, min(PER_LIST * lists, TRAIN_BYTES // (4 * dimension)))
    means = faiss.Kmeans(dimension, lists, spherical=True, seed=SEED, min_points_per_centroid=1)
    faiss.omp_set_num_threads(THREADS)
    means.train(index.take(np.sort(rows[:seen])))
    return np.asarray(means.centroids)


def _lists_of(index: TrackstarIndex, centroids: np.ndarray, number: int, work: Path) -> np.ndarray:
    """The list of each row of a shard, kept in a file of its own."""
    file, start = work / f"list-{number:05d}.npy", int(index.rows.starts[number])
    if whole_shard(file) is None:
        near = faiss.IndexFlatIP(centroids.shape[1])
        near.add(centroids)
        rows, step = index.rows[number], max(1, PIECE // centroids.shape[1])
        faiss.omp_set_num_threads(THREADS)
        found = [
            near.search(rows[at : at + step].astype(np.float32), 1)[1] for at in range(0, len(rows), step)
        ]
        keep_rows(file, start, np.concatenate(found)[:, 0])
    own: np.ndarray = np.load(file, allow_pickle=False)
    return own


class ListScan:
    """The best rows of some lists, or of all, by what FAISS makes of their codes.

    Args:
        codes: of all rows, in the order of the lists. looked: lists that a query looks at; more where they hold fewer
            rows than it wants.
    """

    def __init__(self, lists: Lists, codes: CodeScan, looked: int = 0) -> None:
        self._lists, self._codes, self._looked = lists, codes, looked

    def best(self, asked: np.ndarray, k: int) -> ScoresAndRows:
        """FAISS's k best rows of each query (n, d), best first; row -1 where there are fewer.

        Raises:
            UserError: a file of codes is damaged; it is named.
        """
        scores = np.full((len(asked), k), -np.inf, dtype=np.float32)
        rows = np.full((len(asked), k), -1, dtype=np.int64)
        bounds, sizes = self._lists.bounds, self._lists.sizes
        for at, query in enumerate(asked):
            near = self._lists.nearest(query)
            enough = int(np.searchsorted(np.cumsum(sizes[near]), k)) + 1
            looked = near[: max(self._looked, enough)]
            stretches = [(int(bounds[each]), int(bounds[each + 1])) for each in looked if sizes[each]]
            own, places = self._codes.best_within(stretches, asked[at : at + 1], k)
            held = places[0] >= 0
            scores[at, : held.sum()] = own[0, held]
            rows[at, : held.sum()] = self._lists.order[places[0, held]]
        return scores, rows

    def best_of_all(self, asked: np.ndarray, k: int) -> ScoresAndRows:
        """As `best`, of all lists."""
        scores, places = self._codes.best(asked, min(k, len(self._lists.order)))
        return scores, np.where(places < 0, -1, self._lists.order[places])


@dataclass(frozen=True)
class ListCurve:
    """What looking at the first l lists takes and finds, for l from 1 to all.

    Args:
        shares: (lists,) of the rows, the mean over queries. recalls: (2, lists) of the ten best, of either half.
        asked: so many questions.
    """

    shares: np.ndarray
    recalls: np.ndarray
    asked: int

    @property
    def part(self) -> SearchedPart:
        """The fewest lists with which either half finds `ENOUGH`, or all; the recall is that of the worse half."""
        worse = self.recalls.min(0)
        at = min(int(np.searchsorted(worse, ENOUGH)), len(worse) - 1)
        return SearchedPart(at + 1, len(worse), float(self.shares[at]), float(worse[at]), self.asked)


def curve_of(
    index: TrackstarIndex, lists: Lists, asked: KnownBest, scan: ListScan | None = None, candidates: int = 0
) -> ListCurve:
    """What so many lists find of what is asked.

    Args:
        scan: a row counts as found where it is among so many `candidates` of all, hence among those of any lists that
            have it. None: the lists alone are measured.
    """
    near_all = scan.best_of_all(asked.queries, candidates + asked.own)[1] if scan else None
    of = np.full(index.manifest.passages, -1, dtype=np.int64)
    sizes = lists.sizes
    of[lists.order] = np.repeat(np.arange(len(sizes)), sizes)
    shares = np.empty((len(asked.queries), len(sizes)))
    recalls = np.empty_like(shares)
    for at, (query, (good, k)) in enumerate(zip(asked.queries, asked.best, strict=True)):
        near = lists.nearest(query)
        shares[at] = np.cumsum(sizes[near]) / len(lists.order)
        found = good if near_all is None else np.intersect1d(good, near_all[at])
        turns = np.sort(np.argsort(near)[of[found]])[:k]
        recalls[at] = np.cumsum(np.bincount(turns, minlength=len(near))) / k
    halves = np.stack([recalls[0::2].mean(0), recalls[1::2].mean(0)])
    return ListCurve(shares.mean(0), halves, len(shares))
