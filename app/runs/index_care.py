"""What is done with an index that is there: its files compared with their checksums, its rows searched another way."""

from dataclasses import replace
from pathlib import Path

from app.curvature.fit import verify_curvature
from app.curvature.place import FACTORS, manifest_of
from app.retrieval.codes import kept_codes
from app.retrieval.kinds import KINDS, kind_of
from app.retrieval.search import prepare
from app.trackstar.index import open_index
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


def search_by(place: Path, kind: str) -> IndexManifest:
    """Make another kind search the rows of an index; nothing is encoded again.

    Raises:
        UserError: there is no such kind, or it misses too many of the best of these rows.
    """
    kind_of(kind)
    manifest = IndexManifest.read(place)
    own = manifest.search.get("file")
    bare = replace(
        manifest, search={}, files={file: sum_ for file, sum_ in manifest.files.items() if file != own}
    )
    changed = with_search(bare, prepare(place, kind))
    changed.write(place)
    for left in place.glob("search-*.faiss"):  # as earlier versions kept them
        left.unlink()
    return changed
