"""Building an index: equal bytes, whole or not at all, gone on with after a kill, and never with another model or method."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import UserError
from app.models.examples import TrainingExample
from app.models.load import load_model
from app.trackstar import parts
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Query
from app.trackstar.index import build_index, open_index
from tests.support import tiny
from tests.support.small_index import PASSAGES, SMALL, contents

pytestmark = pytest.mark.slow

KILLED = """
import json, os, signal, sys, torch
from pathlib import Path
from app.trackstar.config import EncodingConfig
from app.trackstar.index import build_index
torch.set_num_threads(1)
model, out, passages = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
def progress(done, total):
    if (out.parent / f".{out.name}.building" / "encodings-00001.npy").exists():
        os.kill(os.getpid(), signal.SIGKILL)
method = EncodingConfig(projection_dim=3)
build_index(model, passages, out, method=method, shard_rows=16, batch_tokens=256, progress=progress)
"""


def test_two_builds_give_equal_bytes(built: Path, tmp_path: Path, checkpoints: Callable[..., Path]) -> None:
    """Also when the corpus can be read only once."""
    build_index(
        checkpoints("llama"),
        iter(PASSAGES),
        tmp_path / "two",
        corpus_name="tiny",
        model_name="llama",
        **SMALL,
    )
    assert contents(built) == contents(tmp_path / "two")


@pytest.mark.slow
def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """SIGKILL after the second shard; the first two are not written again."""
    out = tmp_path / "again"
    arguments = [sys.executable, "-c", KILLED, str(checkpoints("llama")), str(out), json.dumps(PASSAGES)]
    assert subprocess.run(arguments, check=False, timeout=120).returncode == -signal.SIGKILL
    assert not out.exists()
    work = tmp_path / ".again.building"
    kept = {n: (work / f"encodings-0000{n}.npy").stat().st_mtime_ns for n in (0, 1)}
    (work / ".encodings-00002.npy.partial").write_bytes(b"half a shard")
    seen = []

    def progress(done: int, total: int) -> None:
        seen.append((work / "encodings-00001.npy").stat().st_mtime_ns)

    build_index(
        checkpoints("llama"),
        PASSAGES,
        out,
        corpus_name="tiny",
        model_name="llama",
        progress=progress,
        **SMALL,
    )
    assert set(seen) == {kept[1]}
    one, two = contents(built), contents(out)
    assert {name: data for name, data in two.items() if not name.startswith(".")} == one


@pytest.mark.slow
def test_a_shard_damaged_while_the_build_was_down_is_made_again(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    out = tmp_path / "again"
    arguments = [sys.executable, "-c", KILLED, str(checkpoints("llama")), str(out), json.dumps(PASSAGES)]
    subprocess.run(arguments, check=False, timeout=120)
    (tmp_path / ".again.building" / "encodings-00000.npy").write_bytes(b"rubbish")
    build_index(checkpoints("llama"), PASSAGES, out, corpus_name="tiny", model_name="llama", **SMALL)
    assert contents(out) == contents(built)


@pytest.mark.slow
def test_another_method_does_not_go_on_with_an_interrupted_build(
    tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """An unfinished build of other settings is cleared, not mixed in."""
    out = tmp_path / "again"
    arguments = [sys.executable, "-c", KILLED, str(checkpoints("llama")), str(out), json.dumps(PASSAGES)]
    subprocess.run(arguments, check=False, timeout=120)
    changed = {**SMALL, "method": EncodingConfig(projection_dim=3, damping=0.5)}
    build_index(checkpoints("llama"), PASSAGES, out, **changed)
    build_index(checkpoints("llama"), PASSAGES, tmp_path / "fresh", **changed)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_build_does_not_go_on_with_another_optimizers_state(
    tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """Half of the rows divided by one exact V and half by another would be no index."""
    path = tiny.save_model(tmp_path / "m", optimizer="adamw")
    exact = {**SMALL, "method": EncodingConfig(projection_dim=3, second_moments="exact")}

    def interrupt(done: int, total: int) -> None:
        if (tmp_path / ".index.building" / "encodings-00001.npy").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(path, PASSAGES, tmp_path / "index", progress=interrupt, **exact)
    state = torch.load(path / "optimizer.pt")
    for entry in state["state"].values():
        entry["exp_avg_sq"] = entry["exp_avg_sq"].flip(0) + 1e-6
    torch.save(state, path / "optimizer.pt")
    build_index(path, PASSAGES, tmp_path / "index", **exact)
    build_index(path, PASSAGES, tmp_path / "fresh", **exact)
    assert contents(tmp_path / "index") == contents(tmp_path / "fresh")


@pytest.mark.parametrize("preset", ["gradient-dot", "+V+R_train", "trak"])
def test_progress_ends_at_its_total_and_never_passes_it(
    tmp_path: Path, checkpoints: Callable[..., Path], preset: str
) -> None:
    """Fitting counts too: R's sample, and what is looked at for float16's sake where rows have no unit norm."""
    told = []
    method = EncodingConfig.preset(preset, projection_dim=3)
    build_index(
        checkpoints("llama"),
        PASSAGES,
        tmp_path / "index",
        method=method,
        progress=lambda *step: told.append(step),
    )
    assert told[-1][0] == told[-1][1]
    assert all(done <= total for done, total in told)


@pytest.mark.parametrize("stop", ["fitting-V-00002.npy", "fitting-R-00001.npy"])
def test_a_fit_that_was_stopped_goes_on_after_its_last_part(
    tmp_path: Path, checkpoints: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """Eleven minutes of fitting were lost at a Ctrl+C: now its parts stay, are not made again, and end in equal bytes."""
    monkeypatch.setattr(parts, "ROWS", 8)
    work = tmp_path / ".index.building"

    def interrupt(done: int, total: int) -> None:
        if (work / stop).exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(checkpoints("llama", None), PASSAGES, tmp_path / "index", progress=interrupt, **SMALL)
    made = {file.name: file.stat().st_mtime_ns for file in work.glob("fitting-*.npy")}
    assert stop in made
    seen: dict[str, set[int]] = {name: set() for name in made}
    told = []

    def look(done: int, total: int) -> None:
        told.append((done, total))
        for name in made:
            seen[name].add((work / name).stat().st_mtime_ns)

    build_index(checkpoints("llama", None), PASSAGES, tmp_path / "index", progress=look, **SMALL)
    assert seen == {name: {when} for name, when in made.items()}
    build_index(checkpoints("llama", None), PASSAGES, tmp_path / "whole", **SMALL)
    assert contents(tmp_path / "index") == contents(tmp_path / "whole")
    assert not list((tmp_path / "index").glob("fitting-*"))


def test_the_total_of_a_build_is_known_from_the_beginning(
    tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """“16 of 316 … 85 of 385” for 150 passages tells nobody how long it still takes."""
    told: list[tuple[int, int]] = []
    build_index(
        checkpoints("llama", None),
        PASSAGES,
        tmp_path / "index",
        progress=lambda *step: told.append(step),
        **SMALL,
    )
    assert {total for _, total in told} == {3 * len(PASSAGES)}  # V, R, encodings
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_small_corpus_is_read_once_and_passed_through_the_model_once_for_r_and_rows(
    tmp_path: Path, checkpoints: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read three times; the rows are those of a build whose sample is smaller, to rounding."""
    from app.models.capture import Capture

    reads, passed = [], []
    run = Capture.run

    def counted(self: Capture, examples: list[TrainingExample], *more: object) -> None:
        passed.append(len(examples))
        run(self, examples, *more)  # type: ignore[arg-type]  # as it was called

    class Corpus:
        def __iter__(self) -> Iterator[tuple[str, str]]:
            reads.append(1)
            yield from PASSAGES

    monkeypatch.setattr(Capture, "run", counted)
    build_index(checkpoints("llama"), Corpus(), tmp_path / "index", **SMALL)
    assert (len(reads), sum(passed)) == (1, len(PASSAGES) - 1)  # one is blank
    rows = open_index(tmp_path / "index")
    made = rows.encoder(load_model(checkpoints("llama"))).encode_passages([text for _, text in PASSAGES])
    assert np.allclose(rows.take(np.arange(len(PASSAGES))), made, atol=2e-3)


def test_without_optimizer_state_the_moments_are_estimated_and_it_is_said(
    tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    path = checkpoints("llama", None)
    manifest = build_index(path, PASSAGES, tmp_path / "index", method=EncodingConfig(projection_dim=3))
    assert manifest.second_moments["source"] == "estimated from 41 passages, row and column factors"
    assert open_index(tmp_path / "index").encoder(load_model(path)).dimension == 36
    with pytest.raises(UserError, match="need an AdamW optimizer's state"):
        build_index(
            path, PASSAGES, tmp_path / "no", method=EncodingConfig(projection_dim=3, second_moments="exact")
        )


def test_estimated_moments_are_mean_squares_of_single_passages_gradients(
    checkpoints: Callable[..., Path],
) -> None:
    from app.trackstar.estimate import estimate_moments
    from tests.support import reference

    loaded = load_model(checkpoints("gpt2", None))
    moments = estimate_moments(loaded, tiny.TEXTS).values
    gradients = [reference.example_gradients(loaded, e) for e in loaded.texts.passages(tiny.TEXTS)]
    for weight in loaded.weights:
        squares = torch.stack([weight.oriented(g[weight.name]) ** 2 for g in gradients]).mean(0)
        assert torch.allclose(moments[weight.name].row.double(), squares.mean(1), rtol=1e-4)
        assert torch.allclose(moments[weight.name].col.double(), squares.mean(0), rtol=1e-4)


def test_a_mixed_hessian_takes_the_tasks_queries(tmp_path: Path, checkpoints: Callable[..., Path]) -> None:
    queries = [Query("The capital of France is", "Paris"), Query("Two and three make", "five")]
    method = EncodingConfig.preset("trackstar", projection_dim=3)
    report = build_index(
        checkpoints("llama"), PASSAGES, tmp_path / "index", method=method, queries=queries
    ).hessian
    assert report["rows_eval"] == 2
    assert report["rank_used"] <= report["rank_eval"] <= 8
    assert 0 < report["mixing"] < 1
    with pytest.raises(UserError, match="needs queries"):
        build_index(checkpoints("llama"), PASSAGES, tmp_path / "no", method=method)


def test_an_index_is_not_replaced_unless_asked(built: Path, checkpoints: Callable[..., Path]) -> None:
    before = contents(built)
    with pytest.raises(UserError, match="already"):
        build_index(checkpoints("llama"), PASSAGES, built, **SMALL)
    assert contents(built) == before
    build_index(checkpoints("llama"), PASSAGES[:5], built, overwrite=True, **SMALL)
    assert open_index(built).manifest.passages == 5


def test_an_empty_corpus_leaves_nothing_under_the_name(
    tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    for passages, message in ([], "no passages"), ([("a", " ")], "has text|has a gradient"):
        with pytest.raises(UserError, match=message):
            build_index(checkpoints("llama"), passages, tmp_path / "index", **SMALL)
    assert not (tmp_path / "index").exists()
