"""By what an audit looks for passages that should not be there: names as commands and files have them, and what they say."""

from app.words.methods import BM25, EKFAC, TRACKSTAR, TWO_STAGES, method_label

OWN, OWN_EXACT = "self-influence", "self-influence+ekfac"
SUM, MAX = "sum", "max"
OVER = (SUM, MAX)  # how a passage's scores for several outputs become one
OF_PASSAGES = (OWN, OWN_EXACT)
OF_OUTPUTS = (TRACKSTAR, TWO_STAGES, EKFAC, BM25)
WAYS = (*OF_PASSAGES, *OF_OUTPUTS)
BY_FACTORS = (OWN_EXACT, TWO_STAGES, EKFAC)  # what needs EK-FAC's factors beside the index

_OWN_LABELS = {OWN: "Self-influence", OWN_EXACT: "Self-influence, EK-FAC"}
_SAID = {
    OWN: "The square of a passage’s length in the index’s space, before it is made one: what it would do to itself. What is odd,"
    " wrong or seen once stands high, and what is long.",
    OWN_EXACT: "The same without a projection, under EK-FAC’s curvature, of the first by self-influence.",
    TRACKSTAR: "The cosines with the outputs’ gradients, of all passages.",
    TWO_STAGES: "The exact influence on the outputs, of the hundred passages nearest to each.",
    EKFAC: "The exact influence on the outputs, of all passages.",
    BM25: "The words that a passage shares with prompt and output, rare ones counting more.",
}


def way_label(way: str) -> str:
    """What people read for it."""
    return _OWN_LABELS.get(way) or method_label(way)


def way_sentence(way: str) -> str:
    """One sentence on what it looks at."""
    return _SAID.get(way, "")
