"""Passages by what they mean: cosine of sentence embeddings from a model on disk (the paper's dense baseline, §5.1).

The embeddings of a corpus are kept beside its index under the model's hash, so that each model embeds it once.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import faiss
import numpy as np

from app.errors import UserError
from app.trackstar.model import model_sha256

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PART = 512  # passages embedded between two reports of progress


class Dense:
    """The embeddings of all passages; row r is passage r."""

    kind = "dense"

    def __init__(self, model: "SentenceTransformer", name: str, sha256: str, rows: np.ndarray) -> None:
        self._model = model
        self._index = faiss.IndexFlatIP(rows.shape[1])
        self._index.add(rows)
        self.about: dict[str, Any] = {"model": name, "model_sha256": sha256, "similarity": "cosine"}

    @classmethod
    def open(
        cls,
        path: Path,
        texts: Sequence[str],
        keep: Path,
        *,
        device: str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Embed the texts in row order, or read what was kept in the directory `keep` when they were embedded before.

        Raises:
            UserError: the extra is not installed, or `path` holds no sentence-transformers model.
        """
        model = _load(path, device)
        sha256 = model_sha256(path)
        file = keep / f"dense-{sha256[:16]}.npy"
        rows = np.load(file) if file.is_file() else None
        if rows is None or len(rows) != len(texts):
            rows = _embed(model, texts, progress)
            partial = file.with_name(f".{file.name}.{os.getpid()}.partial.npy")
            np.save(partial, rows)
            partial.rename(file)
        return cls(model, path.name, sha256, rows)

    def search(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k passages nearest to each text: cosines (n, k) float32 and rows (n, k); -1 where there are fewer."""
        queries = self._model.encode_query(
            list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        scores, rows = self._index.search(np.asarray(queries, dtype=np.float32), k)
        return scores, rows


def _load(path: Path, device: str) -> "SentenceTransformer":
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UserError(
            "Dense retrieval needs sentence-transformers.",
            field="dense_model",
            remedy="Install it with `pip install 'startrail[dense]'`.",
        ) from None
    if not (path / "modules.json").is_file():
        raise UserError(
            "There is no sentence-transformers model here (no modules.json).",
            file=path,
            field="dense_model",
            remedy="Set STARTRAIL_DENSE_MODEL to the directory of one, saved by `SentenceTransformer.save`.",
        )
    try:
        return SentenceTransformer(
            str(path), device=None if device == "auto" else device, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"The sentence-transformers model cannot be loaded: {error}.",
            file=path,
            field="dense_model",
            remedy="Save it again.",
        ) from None


def _embed(
    model: "SentenceTransformer", texts: Sequence[str], progress: Callable[[int, int], None] | None
) -> np.ndarray:
    parts = []
    for start in range(0, len(texts), PART):
        made = model.encode_document(
            list(texts[start : start + PART]),
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        parts.append(np.asarray(made, dtype=np.float32))
        if progress:
            progress(min(start + PART, len(texts)), len(texts))
    return np.concatenate(parts)
