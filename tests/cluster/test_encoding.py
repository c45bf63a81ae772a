"""Whoever encodes, the index is the same to the byte."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.cluster import pool
from app.cluster.hiring import members_of, same_model
from app.cluster.joining import Cluster
from app.cluster.pool import ClusterHands, Member
from app.errors import Interrupted, UserError
from app.models.load import load_model
from app.trackstar.config import EncodingConfig
from app.trackstar.index import build_index
from tests.support import tiny
from tests.support.members import killed_process
from tests.support.small_index import PASSAGES, contents

# A sample smaller than the corpus: what fitting R makes is then not all that there is to make. V is estimated.
HOW: dict[str, Any] = {
    "method": EncodingConfig(projection_dim=3),
    "corpus_name": "tiny",
    "sample": 16,
    "shard_rows": 4,
    "batch_tokens": 256,
}
Made = Callable[..., Path]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("model") / "m")


@pytest.fixture(scope="module")
def alone(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that one process makes."""
    out = tmp_path_factory.mktemp("alone") / "index"
    build_index(model, PASSAGES, out, **HOW)
    return contents(out)


def test_two_members_build_what_one_process_builds(
    ray: Any, cluster: Cluster, model: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """V, R, every shard and the manifest; and the progress ends at its total."""
    told: list[tuple[int, int]] = []
    build_index(
        model,
        PASSAGES,
        tmp_path / "index",
        hands=members_of(ray, cluster, {"path": model}, "cpu"),
        progress=lambda done, total: told.append((done, total)),
        **HOW,
    )
    assert contents(tmp_path / "index") == alone
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_member_killed_in_the_middle_changes_no_byte(
    ray: Any, cluster: Cluster, model: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """kill -9 while shards are under way: another process takes its place, and computes what it had in hand."""
    hired: list[ClusterHands[Any]] = []
    killed: list[int] = []

    def progress(done: int, total: int) -> None:
        if done > total // 2 and not killed:
            killed.append(killed_process(ray, hired[0].members[0]))

    def hands(loaded: Any) -> ClusterHands[Any]:
        hired.append(members_of(ray, cluster, {"path": model}, "cpu")(loaded))
        return hired[0]

    build_index(model, PASSAGES, tmp_path / "index", hands=hands, progress=progress, **HOW)
    assert contents(tmp_path / "index") == alone
    assert ray.get(hired[0].members[0].process.remote()) != killed[0]


class _Fatal:
    """Work that kills whoever does it, and work that cannot be done."""

    def begin(self, loaded: Any) -> Callable[..., None]:
        def work(piece: list[str], done: Any) -> None:
            if piece == ["refused"]:
                raise UserError("This text cannot be read.", field="text")
            os.kill(os.getpid(), signal.SIGKILL)

        return work


def test_what_kills_every_member_ends_the_build_and_keeps_what_is_done(
    ray: Any, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for ever, and not as a build that has to begin again; what is only wrong is said as by one process."""
    monkeypatch.setattr(pool, "RETRIES", 1)  # each takes as long as loading a model
    hands = members_of(ray, Cluster("local", members=1), {"path": model}, "cpu")(load_model(model))
    with pytest.raises(UserError, match="This text cannot be read") as refused:
        list(hands.each(_Fatal(), [["refused"]]))
    assert not isinstance(refused.value, Interrupted)
    with pytest.raises(Interrupted, match="died 2 times"):
        list(hands.each(_Fatal(), [["deadly"]]))


def test_another_model_at_the_same_place_is_refused(ray: Any, model: Path) -> None:
    """Machines with copies of a model of their own must not mix two of them into one index."""
    member = Member(partial(same_model, {"path": model}, "0" * 64))
    with pytest.raises(UserError, match="is another than the one that is worked with"):
        member.compute("any", [], [])
