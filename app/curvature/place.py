"""Where an index keeps EK-FAC's factors. Knows no torch: the site asks whether there are some."""

from pathlib import Path

FACTORS = "curvature"  # the directory of them, in that of the index
MANIFEST = "curvature.json"


def manifest_of(index: Path) -> Path:
    """The factors' manifest, which names their files' checksums; it is not there where none were fitted."""
    return index / FACTORS / MANIFEST
