"""An index goes on with its corpus: rows that stand stay as they are, those that came are encoded as they were."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import UserError
from app.models.load import load_model
from app.trackstar.append import append_to_index
from app.trackstar.config import EncodingConfig
from app.trackstar.index import build_index, open_index
from tests.support import tiny
from tests.support.small_index import PASSAGES, SMALL, contents

pytestmark = pytest.mark.slow

MORE = [(f"new{at}", f"{text} and {text}") for at, text in enumerate(tiny.MANY[:20])] + [("nothing", "")]
GROWN = [*PASSAGES, *MORE]


def appended(index: Path, model: Path, out: Path, passages: Any = GROWN, **options: Any) -> None:
    append_to_index(open_index(index), model, passages, out, corpus_name="grown", **options)


def test_what_stands_stays_and_what_came_is_encoded_alike(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    out, model = tmp_path / "grown", checkpoints("llama")
    (built / "factors").mkdir()
    (built / "factors" / "one").write_bytes(b"of the model")
    appended(built, model, out, kept=["factors", "others"])
    old, new = open_index(built), open_index(out)
    shards = [shard.file for shard in old.manifest.shards]
    assert [(out / name).read_bytes() for name in shards] == [(built / name).read_bytes() for name in shards]
    assert (out / "factors" / "one").read_bytes() == b"of the model"
    assert new.passage_ids == [id_ for id_, _ in GROWN]
    assert new.manifest.passages == len(GROWN)
    assert new.manifest.zero_rows == [*old.manifest.zero_rows, len(GROWN) - 1]
    assert new.manifest.counts["empty"] == old.manifest.counts["empty"] + 1
    fresh = old.encoder(load_model(model)).encode_passages([text for _, text in MORE])
    rows = new.take(np.arange(len(PASSAGES), len(GROWN))) / new.manifest.row_scale
    np.testing.assert_allclose(rows, fresh, atol=2e-3)
    (said,) = new.manifest.build["appended"]
    assert (said["passages"], said["before"]) == (len(MORE), old.manifest.corpus.sha256)
    new.verify()


def test_it_grows_again_in_its_own_place(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    model = checkpoints("llama")
    appended(built, model, tmp_path / "once")
    appended(built, model, built, GROWN[:-5], overwrite=True)
    appended(built, model, built, overwrite=True)
    assert [each["passages"] for each in open_index(built).manifest.build["appended"]] == [len(MORE) - 5, 5]
    every = np.arange(len(GROWN))
    np.testing.assert_array_equal(open_index(built).take(every), open_index(tmp_path / "once").take(every))


def test_passages_of_another_kind_are_told_by_how_R_stretches_them(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """The same passages once more are stretched as they were; words that no passage had lie where R saw least."""
    model = checkpoints("llama")
    strange = [(f"s{at}", " ".join(chr(200 + (at * 7 + n) % 90) for n in range(30))) for at in range(20)]
    known = [(f"again{at}", text) for at, (_, text) in enumerate(PASSAGES)]
    stretched = {}
    for name, came in (("known", known), ("strange", strange)):
        appended(built, model, tmp_path / name, [*PASSAGES, *came])
        (said,) = open_index(tmp_path / name).manifest.build["appended"]
        stretched[name] = said["stretched"]
    assert stretched["known"] == pytest.approx(1, abs=0.02)
    assert stretched["strange"] > 1.2


def test_a_stopped_one_goes_on_and_ends_with_the_same_bytes(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    model, first = checkpoints("llama"), f"encodings-{len(open_index(built).manifest.shards):05d}.npy"
    work = tmp_path / ".again.building"

    def stop(done: int, total: int) -> None:
        if (work / first).exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        appended(built, model, tmp_path / "again", progress=stop)
    kept = (work / first).stat().st_mtime_ns
    appended(built, model, tmp_path / "again")
    assert (tmp_path / "again" / first).stat().st_mtime_ns == kept
    appended(built, model, tmp_path / "undisturbed")
    assert contents(tmp_path / "again") == contents(tmp_path / "undisturbed")


def test_what_does_not_continue_the_index_is_refused(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """Whatever is refused leaves nothing under the new name, and the old index whole."""
    model, out = checkpoints("llama"), tmp_path / "out"
    changed = [("p0", "Another text."), *GROWN[1:]]
    for passages, words in (
        (changed, "does not begin with"),
        (PASSAGES[:3], "does not begin with"),
        (PASSAGES, "no passages that are not in the index"),
    ):
        with pytest.raises(UserError, match=words):
            appended(built, model, out, passages)
    with pytest.raises(UserError, match="another model"):
        appended(built, tiny.save_model(tmp_path / "other", seed=7), out)
    damaged = shutil.copytree(built, tmp_path / "damaged")
    with (damaged / "encodings-00000.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\x55\x55")
    with pytest.raises(UserError, match="damaged"):
        appended(damaged, model, out)
    assert not out.exists()
    open_index(built).verify()


def test_without_R_nothing_is_told_of_it(tmp_path: Path, checkpoints: Callable[..., Path]) -> None:
    model, plain = checkpoints("llama"), SMALL | {"method": EncodingConfig(projection_dim=3, hessian="none")}
    build_index(model, PASSAGES, tmp_path / "plain", **plain)
    appended(tmp_path / "plain", model, tmp_path / "grown")
    (said,) = open_index(tmp_path / "grown").manifest.build["appended"]
    assert said["stretched"] is None
