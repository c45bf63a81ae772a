"""Passages by what they mean: cosine of sentence embeddings from a model on disk (the paper's dense baseline, §5.1).

The embeddings of a corpus are kept beside its index under the model's hash, so that each model embeds it once.
Models are run by sentence-transformers itself: pooling, prompts and further layers differ from model to model.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from app.digests import file_sha256
from app.errors import UserError
from app.files import whole
from app.models.text import readable
from app.retrieval.faiss_package import faiss
from app.retrieval.ranking import CHUNK, ranked, with_ties

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)
PART = 512  # passages embedded between two reports of progress


class Dense:
    """The embeddings of all passages; row r is passage r. A blank passage has a zero row and is never found."""

    kind = "dense"

    def __init__(self, model: "SentenceTransformer", name: str, sha256: str, rows: np.ndarray) -> None:
        self._model = model
        self._index = faiss.IndexFlatIP(rows.shape[1])
        blank: list[int] = []
        for start in range(0, len(rows), CHUNK):
            piece = np.ascontiguousarray(rows[start : start + CHUNK])
            blank += (start + np.flatnonzero(~piece.any(axis=1))).tolist()
            self._index.add(piece)
        self._blank = np.asarray(blank, dtype=np.int64)
        self.about: dict[str, Any] = {
            "model": name,
            "model_sha256": sha256,
            "dimension": rows.shape[1],
            "similarity": "cosine",
            "search": "exact",
            "prompts": {kind: text for kind, text in model.prompts.items() if text},
        }

    @classmethod
    def open(
        cls,
        path: Path,
        texts: Iterable[str],
        count: int,
        keep: Path | None,
        *,
        device: str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Embed the texts in row order, or read what was kept in the directory `keep` when they were embedded before.

        Args:
            keep: None: nothing is kept.
            texts: read only if they have to be embedded.
            count: how many texts there are.
            device: `cpu`, `cuda`, …; `auto` takes the best there is.

        Raises:
            UserError: the extra is not installed, or `path` holds no sentence-transformers model.
        """
        check_model(path)
        model = _load(path, device)
        sha256 = _sha256(path)
        file = keep / f"dense-{sha256[:16]}.npy" if keep else None
        rows = _kept(file, count) if file else None
        if rows is None:
            log.info("Embedding %s passages with %s", f"{count:,}", path.name)
            rows = _embed(model, texts, count, progress)
            if file:
                _keep(file, rows)
        return cls(model, path.resolve().name, sha256, rows)

    def search(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k passages nearest to each text: cosines (n, k) float32 and rows (n, k), best first, ties by row.

        Where there are fewer passages than k, the rest is row -1.
        """
        queries = self._model.encode_query(
            [readable(text) for text in texts],
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        asked = np.asarray(queries, dtype=np.float32)
        scores, rows = with_ties(
            lambda wanted: self._index.search(asked, wanted), k, self._blank, self._index.ntotal
        )
        return ranked(scores, rows, k, 1.0, opponents=False)


def check_model(path: Path | None) -> Path:
    """The directory, if dense retrieval can be done with the model in it, before anything is computed.

    Raises:
        UserError: no model is named, the directory holds none, or the extra is not installed.
    """
    if path is None:
        raise UserError(
            "No model for dense retrieval is named.",
            field="dense_model",
            remedy="Give --dense-model or STARTRAIL_DENSE_MODEL: the directory of a sentence-transformers model.",
        )
    if not (path / "modules.json").is_file():
        what = "no modules.json" if path.is_dir() else "no such directory"
        raise UserError(
            f"There is no sentence-transformers model here ({what}).",
            file=path,
            field="dense_model",
            remedy="Give the directory of one, as SentenceTransformer.save writes it; nothing is downloaded.",
        )
    if find_spec("sentence_transformers") is None:
        raise UserError(
            "Dense retrieval needs sentence-transformers, which is not installed.",
            field="dense_model",
            remedy="Install it: pip install 'startrail[dense]'.",
        )
    return path


def _load(path: Path, device: str) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as said

    said.disable_progress_bar()  # ours says how far it is
    place = None if device == "auto" else device
    try:
        return SentenceTransformer(str(path), device=place, local_files_only=True)
    except Exception as error:  # whatever the model's own modules raise on damaged or missing files
        raise UserError(
            f"The model cannot be loaded: {(str(error).strip() or type(error).__name__).splitlines()[0]}",
            file=path,
            field="dense_model",
            remedy="Check that its files are complete, or save it again.",
        ) from None


def _sha256(path: Path) -> str:
    """Over every file but the documentation: pooling and prompts decide an embedding as weights do."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if file.is_file() and file.suffix != ".md" and not any(part.startswith(".") for part in name.parts):
            digest.update(name.as_posix().encode() + b"\0" + file_sha256(file).encode())
    return digest.hexdigest()


def _kept(file: Path, count: int) -> np.ndarray | None:
    """The embeddings of an earlier time, memory-mapped; None if there are none, or not of this many passages."""
    try:
        rows: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.ndim == 2 and len(rows) == count and rows.dtype == np.float32 else None


def _keep(file: Path, rows: np.ndarray) -> None:
    try:
        with whole(file) as partial, partial.open("wb") as stream:
            np.save(stream, rows)
    except OSError as error:  # a read-only or full disk: the answer is right all the same
        log.warning("The embeddings could not be kept in %s: %s", file, error)


def _embed(
    model: "SentenceTransformer",
    texts: Iterable[str],
    count: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """(count, dimension) float32 of unit length; zero where the text is blank."""
    reading = iter(texts)
    parts: list[np.ndarray] = []
    done = 0
    while piece := list(islice(reading, PART)):
        made = model.encode_document(
            [readable(text) for text in piece],
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        rows = np.asarray(made, dtype=np.float32)
        rows[[not text.strip() for text in piece]] = 0.0
        parts.append(rows)
        done += len(piece)
        if progress:
            progress(done, count)
    if done != count or not parts:
        raise UserError(
            f"The corpus has {done:,} passages, not {count:,}.",
            field="corpus",
            remedy="Build the index again.",
        )
    return np.concatenate(parts)
