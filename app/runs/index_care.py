"""What is done with an index that is there: its files compared with their checksums, its rows searched another way."""

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from app.curvature.fit import verify_curvature
from app.curvature.place import FACTORS, manifest_of
from app.models.load import compute_type, load_model
from app.retrieval.codes import kept_codes
from app.retrieval.kinds import KINDS, kind_of
from app.retrieval.lists import MOST_ASKED, Questions
from app.retrieval.search import prepare
from app.runs.building import task_queries
from app.settings import Settings
from app.store.engine import Store
from app.tracing.catalog import choose
from app.trackstar.index import TrackstarIndex, open_index
from app.trackstar.manifest import IndexManifest
from app.trackstar.placing import with_search


def verify(place: Path) -> int:
    """Read every file of an index, its codes and EK-FAC factors too, and compare checksums; how many files that were.

    Raises:
        UserError: one is missing or not what its manifest says; it is named.
    """
    index = open_index(place)
    index.verify()
    count = len(index.checksums.wanted)
    for kind in KINDS:
        if codes := kept_codes(index, kind):
            codes.rows.checksums.compare(again=True)
            count += len(codes.rows.checksums.wanted)
    if manifest_of(place).is_file():
        count += verify_curvature(place / FACTORS)
    return count


def questions_of(settings: Settings, store: Store, prompt_set: str) -> Questions:
    """Encodes prompts of a set with their targets, drawn at random, for lists to be measured with."""
    queries = task_queries(store, prompt_set)
    queries = Random(0).sample(queries, min(MOST_ASKED, len(queries)))

    def encoded(index: TrackstarIndex) -> np.ndarray:
        loaded = load_model(
            choose(settings, index=index.path.name).model_path,
            device=settings.device,
            dtype=compute_type(settings.dtype),
            **index.manifest.opening,
        )
        return index.encoder(loaded).encode_queries(queries)

    return encoded


def search_by(place: Path, kind: str, questions: Questions | None = None) -> IndexManifest:
    """Make another kind search the rows of an index; nothing is encoded again.

    Args:
        questions: what lists are measured with (`questions_of`).

    Raises:
        UserError: there is no such kind, or it misses too many of the best of these rows.
    """
    manifest = IndexManifest.read(place)
    own = manifest.search.get("file")
    bare = replace(
        manifest, search={}, files={file: sum_ for file, sum_ in manifest.files.items() if file != own}
    )
    changed = with_search(bare, prepare(place, kind, questions if kind_of(kind).in_lists else None))
    changed.write(place)
    for left in place.glob("search-*.faiss"):  # as earlier versions kept them
        left.unlink()
    return changed
