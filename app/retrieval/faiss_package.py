"""FAISS, of whichever of its two packages is installed: both are imported by one name, and neither lives beside the other."""

from app.errors import UserError

try:
    import faiss
except ImportError as error:
    raise UserError(
        f"FAISS cannot be loaded: {error}.",
        remedy="Install it: pip install 'startrail[cpu]', or 'startrail[gpu]' on a machine with NVIDIA GPUs.",
    ) from None

__all__ = ["faiss"]
