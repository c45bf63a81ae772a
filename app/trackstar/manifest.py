"""`manifest.json`: what an index was built from and how, and what its files must look like."""

import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from app.errors import NotFound, UserError
from app.files import write_json
from app.models.adapter_ways import OWN
from app.models.marks import BOTH, Marks
from app.trackstar.config import EncodingConfig

SCHEMA = 1
FILE = "manifest.json"


@dataclass(frozen=True)
class ContentIdentity:
    """A model or corpus by name and content."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Shard:
    """One file of float16 rows; passages `start` to `start + rows`."""

    file: str
    start: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class IndexManifest:
    """Everything that decides an index's bytes. Two builds of one index write the same manifest.

    Args:
        second_moments: `source` in words and `sha256`; None where the method has no V.
        hessian: `HessianReport.as_dict()`; None where the method has no R.
        row_scale: stored rows are encodings times this power of two, so that float16 holds them. Ranks do
            not change; 1 for unit-norm methods.
        counts: `passages`, of these `empty` (blank text), `cut` (longer than the context), `degenerate`
            (no usable gradient), `saturated` (rows with an entry beyond float16, held at its limit).
        zero_rows: rows of empty and degenerate passages: all zero, never to be shown as a hit.
        weights: the override of attention and MLP, pattern -> kind.
        search: which kind of index searches the rows: `kind`, FAISS's own name for it, and the `file` of a trained
            one; empty: exact.
    """

    model: ContentIdentity
    corpus: ContentIdentity
    method: EncodingConfig
    dimension: int
    second_moments: dict[str, Any] | None
    hessian: dict[str, Any] | None
    row_scale: float
    counts: dict[str, int]
    zero_rows: list[int]
    shards: list[Shard]
    files: dict[str, str]
    build: dict[str, Any]
    weights: dict[str, str] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)
    startrail: str = field(default_factory=lambda: version("startrail"))
    schema: int = SCHEMA

    @property
    def passages(self) -> int:
        """Rows of the index."""
        return self.counts["passages"]

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of every file of the index but this one."""
        return {shard.file: shard.sha256 for shard in self.shards} | self.files

    @property
    def opening(self) -> dict[str, Any]:
        """How its model is opened: arguments of `load_model` that decide what an encoding is."""
        adapter = self.build.get("adapter", OWN)
        return {"override": self.weights, "marks": self.marks, "adapter": adapter}

    @property
    def marks(self) -> str | Marks:
        """What stands around texts; indexes that do not say were built with both marks."""
        return Marks.saved(self.build["marks"]) if "marks" in self.build else BOTH

    def _sound(self) -> Self:
        """Itself, if the numbers that the rows are found by are numbers."""
        for name, value in [("dimension", self.dimension), *(("rows", shard.rows) for shard in self.shards)]:
            if type(value) is not int:
                raise TypeError(f"{name} is {value!r}")
        return self

    def write(self, directory: Path) -> None:
        """Writes `manifest.json` whole or not at all."""
        write_json(directory / FILE, asdict(self))

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Reads `manifest.json`.

        Raises:
            NotFound: there is no index here. UserError: the manifest is damaged or of another version.
        """
        file = directory / FILE
        if not file.is_file():
            raise NotFound(
                f"There is no index at {directory}.",
                field="index",
                remedy="Build one: startrail index MODEL CORPUS.",
            )
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            found = values["schema"]
            if found == SCHEMA:
                values["model"], values["corpus"] = (
                    ContentIdentity(**values["model"]),
                    ContentIdentity(**values["corpus"]),
                )
                values["method"] = EncodingConfig.from_dict(values["method"])
                values["shards"] = [Shard(**shard) for shard in values["shards"]]
                return cls(**values)._sound()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f"The manifest is damaged: {error}.", file=file, remedy="Build the index again."
            ) from None
        raise UserError(
            f"The manifest has schema {found}, this version reads {SCHEMA}.",
            file=file,
            field="schema",
            remedy="Build the index again, or use the version of Startrail that wrote it.",
        )
