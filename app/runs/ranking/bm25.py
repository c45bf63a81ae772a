"""BM25 over the corpus: prompt and answer are the query."""

from app.retrieval.bm25 import BM25, K1, B
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, rankings_of

WORDS = "folded, pairs of characters in scripts without spaces, no stemming, no stop words"


def rank(request: RankingRequest) -> Ranked:
    """The passages with most of the words of prompt and answer, rare words counting more."""
    bm25 = BM25.build(request.texts())
    rankings: list[PromptRanking] = []
    for queries in request.batches():
        rankings += rankings_of(bm25.search([query.joined for query in queries], request.k))
    return rankings, {
        "method": "lucene",
        "k1": K1,
        "b": B,
        "words": WORDS,
    }
