"""Word for word over the corpus: prompt and answer are the query."""

from app.retrieval.verbatim import SHORTEST, Verbatim
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, rankings_of


def rank(request: RankingRequest) -> Ranked:
    """The passages in which the rarest stretch of prompt and answer stands word for word."""
    verbatim = Verbatim.build(request.texts())
    rankings: list[PromptRanking] = []
    for queries in request.batches():
        rankings += rankings_of(verbatim.search([query.joined for query in queries], request.k))
    return rankings, {"method": "rarest stretch", "words": f"folded, {SHORTEST} or more in a row"}
