"""What templates call to draw the evidence."""

from app.models.optimizers import OPTIMIZERS
from app.web.evidence import plot
from app.web.evidence.claim import as_sentence
from app.web.evidence.embed import embed_code
from app.web.evidence.lanes import Evidence, under_label
from app.web.evidence.turns import turns_asked
from app.web.evidence.verdict import Piece, verdict

GLOBALS = {
    "plot_axis": plot.axis,
    "plot_ticks": plot.ticks,
    "plot_lane": plot.lane_svg,
    "plot_bell": plot.bell_svg,
    "step_bar": plot.step_bar,
    "optimizers": OPTIMIZERS,
    "scores_of": lambda cards: {card.passage_id: card.score for card in cards},
}


def verdict_pieces(evidence: Evidence) -> list[Piece]:
    """The verdict with what colours it."""
    return verdict(evidence.before, evidence.lanes, evidence.answer)


FILTERS = {
    "verdict_pieces": verdict_pieces,
    "under_label": under_label,
    "embed_code": embed_code,
    "turns_asked": turns_asked,
    "as_sentence": lambda evidence, claim: as_sentence(claim, evidence.verdict),
}
