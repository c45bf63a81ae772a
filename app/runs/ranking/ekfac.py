"""TrackStar finds, EK-FAC decides: the encodings give candidates, their exact influence the order.

The index's own method names the hundred passages nearest to the query; each one's influence is then computed without a
projection (`app.curvature.influence`), so that neither a seed nor the size of the encodings decides the order. Of
passages that are no candidates nothing is claimed.
"""

from collections.abc import Sequence
from random import Random

import numpy as np

from app.curvature.factors import Factors
from app.curvature.fit import fit_curvature
from app.curvature.influence import DAMPING, influences, preconditioned
from app.models.capture import Capture
from app.models.text import TrainingExample
from app.retrieval.search import open_search
from app.runs.inputs import RunInputs
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, rankings_of

CANDIDATES = 100
SAMPLE = 2_048  # passages that the factors are fitted on
FACTORS = "curvature"  # the directory of them, in that of the index


def rank(request: RankingRequest) -> Ranked:
    """The index's nearest passages, ordered by ∇L_m · (H + damping)⁻¹ ∇L_q.

    Raises:
        UserError: the factors beside the index are another model's or damaged.
    """
    inputs = request.inputs
    passages = inputs.loaded.texts.passages(list(request.texts()))
    capture, factors = Capture(inputs.loaded), fitted(inputs, passages, request)
    encoder = inputs.index.encoder(inputs.loaded)
    search = open_search(inputs.index, request.search, device=str(inputs.loaded.device))
    wanted = max(CANDIDATES, request.k)
    rankings: list[PromptRanking] = []
    for queries in request.batches():
        _, rows = search.search(encoder.encode_queries(queries), wanted)
        for query, near in zip(queries, rows, strict=True):
            direction = preconditioned(capture, factors, inputs.loaded.texts.query(query))
            own = near[near >= 0]
            scores = influences(capture, direction, [passages[row] for row in own]).numpy()
            best = np.lexsort((own, -scores))[: request.k]
            rankings += rankings_of((scores[None, best], own[None, best]))
    about = {
        "candidates": wanted,
        "found_by": inputs.index.manifest.method.as_dict(),
        "index": inputs.index.path.name,
        "search": search.kind,
        "curvature": {
            "labels": "model",
            "passages": min(SAMPLE, len(passages)),
            "seed": 0,
            "damping": DAMPING,
        },
        "model_sha256": inputs.index.manifest.model.sha256,
        "corpus_sha256": inputs.index.manifest.corpus.sha256,
    }
    return rankings, about


def fitted(
    inputs: RunInputs, passages: Sequence[TrainingExample], request: RankingRequest
) -> dict[str, Factors]:
    """The factors that stand beside the index; fitted on a random sample of the corpus where there are none."""
    drawn = Random(0).sample(range(len(passages)), min(SAMPLE, len(passages)))
    return fit_curvature(
        inputs.loaded,
        [passages[row] for row in drawn],
        inputs.index.path / FACTORS,
        done=request.progress,
    )
