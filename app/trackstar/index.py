"""An index on disk: its manifest, its rows, and the encoder that makes queries comparable with them."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from app.digests import file_sha256
from app.errors import UserError
from app.models.load import LoadedModel
from app.models.marks import Marks
from app.models.weights import find_weights
from app.trackstar.build import build_index
from app.trackstar.checksums import Checksums, damaged
from app.trackstar.encode import BATCH_TOKENS, Encoder
from app.trackstar.fit import FILE as FIT
from app.trackstar.fit import load_fit
from app.trackstar.hessian import HessianReport
from app.trackstar.manifest import FILE as MANIFEST
from app.trackstar.manifest import IndexManifest
from app.trackstar.rows import MappedRows, open_rows
from app.trackstar.survey import IDS

__all__ = ["IndexPlace", "TrackstarIndex", "build_index", "open_index"]


@dataclass(frozen=True)
class TrackstarIndex:
    """An opened index. Row r is passage r of its corpus.

    Args:
        rows: memory-mapped float16 shards (rows, d), in order.
    """

    path: Path
    manifest: IndexManifest
    rows: MappedRows = field(repr=False)

    @property
    def place(self) -> "IndexPlace":
        """What another process opens it by."""
        return IndexPlace(self.path.resolve(), file_sha256(self.path / MANIFEST))

    @property
    def checksums(self) -> Checksums:
        """Of all its files; each is compared before it is first used."""
        return self.rows.checksums

    @cached_property
    def passage_ids(self) -> list[str]:
        """The corpus's passage ids in row order.

        Raises:
            UserError: the file of ids is missing or damaged.
        """
        file = self.path / IDS
        self.checksums.compare([IDS])
        try:
            with file.open(encoding="utf-8") as lines:
                ids = [json.loads(line) for line in lines]
        except (OSError, ValueError):
            raise damaged(file, "cannot be read") from None
        if len(ids) != self.manifest.passages:
            raise damaged(file, f"has {len(ids)} ids for {self.manifest.passages} passages")
        return ids

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some of the rows, (m, d) float32, read from the shards; `rows` (m,) is ascending.

        Raises:
            UserError: a shard that has one of them is damaged; it is named.
        """
        return self.rows.take(rows).astype(np.float32)

    def part(self, first: int, last: int) -> "TrackstarIndex":
        """The index of its shards from `first` to before `last` alone; rows are counted from the first of theirs."""
        manifest = self.manifest
        shards = manifest.shards[first:last]
        start, rows = shards[0].start, sum(shard.rows for shard in shards)
        own = replace(
            manifest,
            shards=shards,
            counts=manifest.counts | {"passages": rows},
            zero_rows=[row - start for row in manifest.zero_rows if start <= row < start + rows],
        )
        return replace(self, manifest=own, rows=self.rows.part(first, last))

    def verify(self) -> None:
        """Reads every file that is here and compares checksums, whatever was found before.

        Raises:
            UserError: a file is not what the manifest says; it is named.
        """
        self.checksums.compare([*self.rows.here, *self.manifest.files], again=True)

    def encoder(self, model: LoadedModel, *, batch_tokens: int = BATCH_TOKENS) -> Encoder:
        """The encoder these rows were made with, for queries: of the same weights and marks, whatever the model was loaded for.

        Raises:
            UserError: the model is another than the index's, or V or R^(-1/2) are not those of its rows.
        """
        manifest = self.manifest
        if model.sha256 != manifest.model.sha256:
            raise UserError(
                f"The index {self.path.name} was built with another model than {model.path.name}"
                f" ({manifest.model.name}, {manifest.model.sha256[:12]}; this one is {model.sha256[:12]}).",
                field="model",
                remedy="Use the model it was built with, or build an index with this one.",
            )
        marks = manifest.marks
        own = marks if isinstance(marks, Marks) else Marks.of(model.tokenizer, marks)
        model = replace(model, marks=own)
        if manifest.weights:
            model = replace(model, weights=find_weights(model.model, manifest.weights))
        self.checksums.compare([FIT])
        moments = manifest.second_moments
        fitted = load_fit(
            self.path / FIT,
            model,
            manifest.method,
            moments["source"] if moments else "",
            HessianReport(**manifest.hessian) if manifest.hessian else None,
            manifest.row_scale,
        )
        if moments and fitted.moments and fitted.moments.sha256 != moments["sha256"]:
            raise UserError(
                f"The optimizer's state in {model.path} is not the one the index {self.path.name} was built with.",
                field="second_moments",
                remedy="Put the old state back, or build the index again.",
            )
        return Encoder(model, fitted.moments, manifest.method, fitted.whitening, batch_tokens=batch_tokens)


@dataclass(frozen=True)
class IndexPlace:
    """Where an index lies on every machine, and which it is.

    Args:
        sha256: of its manifest.
    """

    path: Path
    sha256: str

    def opened(self) -> TrackstarIndex:
        """The index as this machine has it.

        Raises:
            NotFound: there is none. UserError: it is damaged, or another one.
        """
        index = open_index(self.path)
        if index.place.sha256 != self.sha256:
            raise UserError(
                f"The index {self.path} here is another than the one that is asked.",
                field="index",
                remedy="Put the same index at the same place on every machine.",
            )
        return index


def open_index(path: Path) -> TrackstarIndex:
    """Opens the index directory `path` without reading its rows: files must be there and of their size.

    What is in them is compared with the checksums before it is first used, or by `verify()`.

    Raises:
        NotFound: there is no index. UserError: its manifest or a shard is damaged.
    """
    path = Path(path)
    manifest = IndexManifest.read(path)
    return TrackstarIndex(path, manifest, open_rows(path, manifest))
