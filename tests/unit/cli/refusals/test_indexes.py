"""An index that is damaged, foreign or odd: named, and never a wrong answer."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import select

from app.retrieval.search import open_search
from app.store.engine import open_store
from app.store.tables import Run
from app.store.work_tables import Trace
from app.trackstar.checksums import Checksums
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.index import TrackstarIndex, build_index, open_index
from app.trackstar.manifest import IndexManifest
from app.trackstar.rows import MappedRows
from app.trackstar.shards import write_shard
from tests.support import tiny
from tests.support.commands import PASSAGES, kept, refused, startrail


def test_a_manifest_of_another_model_is_refused(whole: Path, checkpoints: Callable[..., Path]) -> None:
    """The name is the same, the weights are not: rows and queries would not compare."""
    shutil.rmtree(whole / "models" / "m")
    shutil.copytree(checkpoints("llama", "adafactor", 5), whole / "models" / "m")
    before = kept(whole, Run)
    refused(
        startrail("retrieve", "tiny", "--prompts", "asked"), "“tiny” was built with another model", "again"
    )
    refused(startrail("trace", "The capital of France is", " Paris"), "built with another model")
    assert kept(whole, Run) == before


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def bits_changed(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2] + b"\x11\x22")


@pytest.mark.parametrize("damage", [cut_short, bits_changed, Path.unlink])
@pytest.mark.parametrize("name", ["encodings-00001.npy", "trackstar.safetensors"])
def test_a_damaged_file_of_an_index_is_named_and_answers_nothing(
    whole: Path, damage: Callable[[Path], None], name: str
) -> None:
    """Changed bits too: they would rank passages by noise, and nobody would know."""
    damage(whole / "indexes" / "tiny" / name)
    file = str(whole / "indexes" / "tiny" / name)
    refused(
        startrail("retrieve", "tiny", "--prompts", "asked"), file, "Copy it again, or build the index again."
    )
    refused(startrail("trace", "The capital of France is", " Paris"), file)
    assert kept(whole, Run) == 0
    store = open_store(f"sqlite:///{whole / 'startrail.db'}")
    with store.session() as session:
        assert session.scalars(select(Trace)).all() == []
    store.engine.dispose()


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "damaged"), ('{"schema": 99}', "schema 99"), ('{"schema": 1}', "damaged"), ("[]", "damaged")],
)
def test_a_damaged_manifest_is_named(whole: Path, text: str, words: str) -> None:
    file = whole / "indexes" / "tiny" / "manifest.json"
    file.write_text(text)
    refused(startrail("retrieve", "tiny", "--prompts", "asked"), str(file), words)


def test_an_index_of_another_corpus_is_refused(whole: Path) -> None:
    """As many passages, other texts: row r would be shown as a passage it is not."""
    file = whole / "indexes" / "tiny"
    manifest = IndexManifest.read(file)
    values = json.loads((file / "manifest.json").read_text())
    values["corpus"]["sha256"] = "0" * 64
    (file / "manifest.json").write_text(json.dumps(values))
    assert IndexManifest.read(file).passages == manifest.passages
    refused(startrail("retrieve", "tiny", "--prompts", "asked"), "“tiny” was built from another corpus")
    assert kept(whole, Run) == 0


def test_rows_below_float16_are_zero_rows_and_rows_beyond_it_are_counted(tmp_path: Path) -> None:
    """The cast makes neither a hit of nothing nor infinity, and no score is ever NaN."""
    rows = np.array([[1e-9, 0], [1, -1], [1e6, 1], [0, 0]], dtype=np.float32)
    wrote = write_shard(tmp_path, 0, 0, rows, 1.0, {"empty": 1})
    assert wrote.zero_rows == [0, 3]
    assert wrote.counts == {"empty": 1, "saturated": 1}
    checksums = Checksums(tmp_path, {wrote.shard.file: wrote.shard.sha256})
    stored = MappedRows(tmp_path, [wrote.shard], 2, checksums)
    assert np.isfinite(stored[0]).all()


def test_a_passage_whose_gradient_is_no_number_is_counted_and_never_found(
    tmp_path: Path, checkpoints: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overflow in one passage must not spread over the batch, R or a score."""
    gradients = Encoder.gradients

    def overflowing(self: Encoder, examples: list, **options: Any) -> torch.Tensor:
        rows = gradients(self, examples, **options)
        for row, example in enumerate(examples):
            if example == self.model.texts.passages(tiny.TEXTS[2:3])[0]:
                rows[row, 0] = torch.inf
        return rows

    monkeypatch.setattr(Encoder, "gradients", overflowing)
    passages = [(one["id"], one["text"]) for one in PASSAGES]
    build_index(checkpoints("llama"), passages, tmp_path / "index", method=EncodingConfig(projection_dim=3))
    index: TrackstarIndex = open_index(tmp_path / "index")
    assert (index.manifest.counts["degenerate"], index.manifest.zero_rows) == (1, [2, 8])
    query = np.concatenate(index.rows)[:1].astype(np.float32)
    scores, rows = open_search(index).search(query, 10)
    assert 2 not in rows[0]
    assert not np.isnan(scores).any()
