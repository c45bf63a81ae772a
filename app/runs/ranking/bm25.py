"""BM25 over the corpus: prompt and answer are the query."""

from app.retrieval.bm25 import BM25, K1, B
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import Found, found_in

WORDS = "folded, pairs of characters in scripts without spaces, no stemming, no stop words"


def rank(request: RankingRequest) -> Ranked:
    """The passages with most of the words of prompt and answer, rare words counting more."""
    bm25 = BM25.build(request.texts())
    found: list[Found] = []
    for queries in request.batches():
        found += found_in(bm25.search([query.joined for query in queries], request.k))
    return found, {
        "method": "lucene",
        "k1": K1,
        "b": B,
        "words": WORDS,
    }
