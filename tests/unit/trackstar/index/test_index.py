"""An index on disk: rows are encodings in order, and nothing foreign or damaged slips under it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.digests import CorpusDigest
from app.errors import NotFound, UserError
from app.models.load import LoadedModel, load_model
from app.trackstar.config import EncodingConfig, SecondMoments
from app.trackstar.encode import Query
from app.trackstar.index import build_index, open_index
from app.trackstar.manifest import IndexManifest
from tests.support import tiny
from tests.support.small_index import PASSAGES, SMALL, contents


def test_rows_are_the_passages_encodings_in_order(built: Path, load: Callable[..., LoadedModel]) -> None:
    index = open_index(built)
    index.verify()
    rows = np.concatenate(index.rows).astype(np.float32)
    want = index.encoder(load("llama")).encode_passages([text for _, text in PASSAGES])
    assert np.abs(rows - want).max() < 1e-3
    assert index.passage_ids == [identifier for identifier, _ in PASSAGES]
    assert sorted(contents(built)) == [
        *(f"encodings-0000{n}.npy" for n in range(3)),
        "manifest.json",
        "passage_ids.jsonl",
        "trackstar.safetensors",
    ]


def test_a_passage_asked_as_its_own_query_comes_first(built: Path, load: Callable[..., LoadedModel]) -> None:
    """Completing nothing with a whole passage is, but for the end token, the passage itself."""
    index = open_index(built)
    queries = index.encoder(load("llama")).encode_queries([Query("", text) for text in tiny.TEXTS])
    assert (queries @ np.concatenate(index.rows).astype(np.float32).T).argmax(1).tolist() == list(range(8))


@pytest.mark.parametrize("moments", ["factored", "none"])
def test_queries_take_the_weights_that_the_passages_took(
    tmp_path: Path, checkpoints: Callable[..., Path], load: Callable[..., LoadedModel], moments: SecondMoments
) -> None:
    """Attention and MLP as they were told apart for the build, whatever the model was loaded for."""
    method = EncodingConfig(projection_dim=3, second_moments=moments)
    build_index(
        checkpoints("llama"), PASSAGES, tmp_path / "index", method=method, override={"down_proj": "skip"}
    )
    index = open_index(tmp_path / "index")
    want = index.encoder(load("llama")).encode_passages([text for _, text in PASSAGES])
    assert np.abs(np.concatenate(index.rows).astype(np.float32) - want).max() < 1e-3


def test_the_manifest_counts_what_was_special(built: Path) -> None:
    manifest = open_index(built).manifest
    assert manifest.counts == {"passages": 42, "empty": 1, "cut": 1, "degenerate": 0, "saturated": 0}
    assert manifest.zero_rows == [40]
    assert manifest.hessian["mixing"] == 0
    assert manifest.hessian["rows_train"] == 41
    assert manifest.second_moments["source"].startswith("adafactor state in optimizer.safetensors")
    digest = CorpusDigest()
    for identifier, text in PASSAGES:
        digest.add(identifier, text)
    assert manifest.corpus.sha256 == digest.hexdigest()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-3]), "cannot be read|checksum"),
        (lambda f: f.unlink(), "cannot be read|missing"),
        (lambda f: np.save(f, np.zeros((3, 4), dtype=np.float16)), "holds"),
        (lambda f: f.write_bytes(f.read_bytes()[:-2] + b"\x11\x22"), "checksum"),
    ],
    ids=["cut short", "missing", "another shape", "bits changed"],
)
def test_a_damaged_shard_is_refused_by_name(built: Path, damage: Any, message: str) -> None:
    damage(built / "encodings-00001.npy")
    with pytest.raises(UserError, match=message) as caught:
        open_index(built).verify()
    assert caught.value.file.endswith("encodings-00001.npy")


def test_an_index_of_another_model_is_refused(built: Path, checkpoints: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="was built with another model"):
        open_index(built).encoder(load_model(checkpoints("llama", "adafactor", seed=5)))


def test_other_start_tokens_cannot_slip_under_an_index(tmp_path: Path) -> None:
    """The tokenizer's settings are in no hash, and other tokens around a text make of a cosine of 1 one of 0.5.

    An index keeps the convention that it was built by: questions follow it, whatever the settings say today.
    """
    path = tiny.save_model(tmp_path / "m")
    build_index(path, PASSAGES, tmp_path / "index", **SMALL)
    before = open_index(tmp_path / "index").encoder(load_model(path)).encode_passages(tiny.TEXTS)
    file = path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"bos_token": None}))
    changed = load_model(path, marks="none")
    assert changed.texts.passages(["The fox ran."])[0].ids[0] != 0
    after = open_index(tmp_path / "index").encoder(changed).encode_passages(tiny.TEXTS)
    assert np.array_equal(before, after)


def test_another_hessian_cannot_slip_under_an_index(
    built: Path, tmp_path: Path, checkpoints: Callable[..., Path], load: Callable[..., LoadedModel]
) -> None:
    """Rows whitened with one R and queries with another would compare, silently and wrongly."""
    changed = {**SMALL, "method": EncodingConfig(projection_dim=3, damping=0.5)}
    build_index(checkpoints("llama"), PASSAGES, tmp_path / "other", **changed)
    (built / "trackstar.safetensors").write_bytes((tmp_path / "other" / "trackstar.safetensors").read_bytes())
    with pytest.raises(UserError, match="checksum") as caught:
        open_index(built).encoder(load("llama"))
    assert caught.value.file.endswith("trackstar.safetensors")


def test_another_optimizers_state_cannot_slip_under_exact_moments(
    tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """An exact V is not copied into the index, so its hash is."""
    path = tiny.save_model(tmp_path / "m", optimizer="adamw")
    method = EncodingConfig(projection_dim=3, second_moments="exact")
    build_index(path, PASSAGES, tmp_path / "index", method=method)
    assert open_index(tmp_path / "index").encoder(load_model(path)).dimension == 36
    state = torch.load(path / "optimizer.pt")
    for entry in state["state"].values():
        entry["exp_avg_sq"] *= 2
    torch.save(state, path / "optimizer.pt")
    with pytest.raises(UserError, match="not the one the index"):
        open_index(tmp_path / "index").encoder(load_model(path))


def test_raw_gradients_survive_float16(
    tmp_path: Path, checkpoints: Callable[..., Path], load: Callable[..., LoadedModel]
) -> None:
    """Without unit norm entries may lie below float16's smallest number or above its largest."""
    method = EncodingConfig.preset("gradient-dot", projection_dim=3)
    build_index(checkpoints("llama"), PASSAGES, tmp_path / "dot", method=method)
    index = open_index(tmp_path / "dot")
    rows = np.concatenate(index.rows).astype(np.float32) / index.manifest.row_scale
    want = index.encoder(load("llama")).encode_passages([text for _, text in PASSAGES])
    kept = want.any(axis=1)
    assert index.manifest.zero_rows == [40]
    assert (np.linalg.norm(rows - want, axis=1)[kept] / np.linalg.norm(want, axis=1)[kept]).max() < 2e-3


def test_a_missing_or_foreign_manifest_is_named(built: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no index"):
        open_index(tmp_path / "nowhere")
    manifest = json.loads((built / "manifest.json").read_text())
    (built / "manifest.json").write_text(json.dumps({**manifest, "schema": 99}))
    with pytest.raises(UserError, match="schema 99"):
        open_index(built)
    (built / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        open_index(built)


def test_a_manifest_reads_back_as_it_was_written(built: Path) -> None:
    manifest = IndexManifest.read(built)
    before = (built / "manifest.json").read_bytes()
    manifest.write(built)
    assert (built / "manifest.json").read_bytes() == before
    assert Path(built / "manifest.json").stat().st_size < 5000
