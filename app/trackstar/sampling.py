"""How many passages R is fitted on, and whether they suffice for its blocks.

From fewer passages than a block has numbers R falls short in rank: it has directions that no passage of the sample has, and
R^(-1/2) makes the most of them. Cosines of a question to the passages that answer it fall to a fiftieth.
"""

from app.trackstar.config import EncodingConfig

LEAST = 1_024  # passages, where a corpus has them


def sample_size(method: EncodingConfig, asked: int | None = None) -> int:
    """Passages that are drawn from a corpus that has as many: those asked for, else four for each number of a block."""
    return asked or max(LEAST, 4 * method.block_size)


def too_few(passages: int, block_size: int) -> bool:
    """Whether they do not suffice for an R of such blocks."""
    return passages < block_size


def shortfall(method: EncodingConfig, passages: int) -> str:
    """That they do not suffice, for people: of how many, in how large a block; without a full stop."""
    return (
        f"R would be fitted on {passages:,} passages, fewer than the {method.block_size:,} numbers of a block"
        f" (p = {method.projection_dim})"
    )
