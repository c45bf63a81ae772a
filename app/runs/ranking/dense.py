"""Dense retrieval: the nearest passages by sentence embeddings (the paper's baseline, §5.1)."""

from app.retrieval.dense import Dense, check_model
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, rankings_of


def rank(request: RankingRequest) -> Ranked:
    """The passages whose embedding is nearest to that of prompt and answer.

    Raises:
        UserError: no model to embed with is named, or it cannot be used.
    """
    inputs = request.inputs
    dense = Dense.open(
        check_model(request.dense_model),
        request.texts(),
        inputs.corpus.passage_count,
        inputs.index.path if inputs.opened else None,
        device=str(inputs.loaded.device) if inputs.opened else "cpu",
        progress=request.progress,
    )
    rankings: list[PromptRanking] = []
    for queries in request.batches():
        rankings += rankings_of(dense.search([query.joined for query in queries], request.k))
    return rankings, dense.about
