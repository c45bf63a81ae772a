"""TrackStar finds, EK-FAC decides: the encodings give candidates, their exact influence the order.

The index's own method names the hundred passages nearest to the query; each one's influence is then computed without a
projection (`app.curvature.influence`), so that neither a seed nor the size of the encodings decides the order. Of
passages that are no candidates nothing is claimed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from app.curvature.deciding import CANDIDATES, Deciding
from app.curvature.factors import Factors
from app.curvature.fit import fit_curvature
from app.curvature.influence import DAMPING
from app.curvature.place import FACTORS
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.retrieval.search import open_search
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, rankings_of

SAMPLE = 2_048  # passages that the factors are fitted on


def rank(request: RankingRequest) -> Ranked:
    """The index's nearest passages, ordered by ∇L_m · (H + damping)⁻¹ ∇L_q.

    Raises:
        UserError: the factors beside the index are another model's or damaged.
    """
    inputs = request.inputs
    texts = inputs.loaded.texts
    passages = texts.passages(list(request.lessons()))
    factors = fitted(inputs.loaded, passages, inputs.index.path, request.progress)
    second = Deciding(inputs.loaded, factors)
    encoder = inputs.index.encoder(inputs.loaded)
    search = open_search(inputs.index, request.search, device=str(inputs.loaded.device))
    wanted = max(CANDIDATES, request.k)
    rankings: list[PromptRanking] = []
    for queries, others in request.pairs():
        _, rows = search.search(encoder.encode_against(queries, others), wanted)
        for query, other, near in zip(queries, others, rows, strict=True):
            direction = second.direction(texts.query(query), texts.query(other) if other else None)
            own = near[near >= 0]
            scores, best = second.order(direction, [passages[row] for row in own], own, request.k)
            rankings += rankings_of((scores[None], best[None]))
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
    loaded: LoadedModel,
    passages: Sequence[TrainingExample],
    index: Path,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Factors]:
    """The factors that stand beside an index; fitted on a random sample of its corpus where there are none.

    Raises:
        UserError: those that are there are another model's, or damaged.
    """
    drawn = Random(0).sample(range(len(passages)), min(SAMPLE, len(passages)))
    return fit_curvature(loaded, [passages[row] for row in drawn], index / FACTORS, done=progress)
