"""TrackStar finds, EK-FAC decides: the encodings give candidates, their exact influence the order.

The index's own method names the hundred passages nearest to the query; each one's influence is then computed without a
projection (`app.curvature.influence`), so that neither a seed nor the size of the encodings decides the order. Of
passages that are no candidates nothing is claimed.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch

from app.curvature.factors import Factors
from app.curvature.fit import fit_curvature
from app.curvature.influence import DAMPING, influences, preconditioned
from app.models.capture import Capture
from app.models.contrast import difference, shares
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.text import Query
from app.retrieval.search import open_search
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
    passages = inputs.loaded.texts.passages(list(request.lessons()))
    capture, factors = (
        Capture(inputs.loaded),
        fitted(inputs.loaded, passages, inputs.index.path, request.progress),
    )
    encoder = inputs.index.encoder(inputs.loaded)
    search = open_search(inputs.index, request.search, device=str(inputs.loaded.device))
    wanted = max(CANDIDATES, request.k)
    rankings: list[PromptRanking] = []
    for queries, others in request.pairs():
        _, rows = search.search(encoder.encode_against(queries, others), wanted)
        for query, other, near in zip(queries, others, rows, strict=True):
            direction = _direction(capture, factors, query, other)
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


def _direction(
    capture: Capture, factors: Mapping[str, Factors], query: Query, other: Query | None
) -> list[torch.Tensor]:
    """What a passage's gradient is multiplied with, (out, in) for each weight; see `app.models.contrast`."""
    this = capture.loaded.texts.query(query)
    alone = preconditioned(capture, factors, this)
    if other is None:
        return alone
    that = capture.loaded.texts.query(other)
    counted = shares(capture.loaded, [this], [that])
    return [
        difference(one[None], against[None], counted)[0]
        for one, against in zip(alone, preconditioned(capture, factors, that), strict=True)
    ]


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
