"""The index's own method: the encodings that were written when it was built are searched."""

import numpy as np

from app.retrieval.chance import Unrelated, search_with_chance
from app.retrieval.search import open_search, part_of
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, rankings_of
from app.runs.seed_agreement import is_cheap, with_recurrence
from app.words.partial import configured

GROUP = 16  # batches whose recurrence is told together: the index's rows are read once for all of them


def rank(request: RankingRequest) -> Ranked:
    """The passages whose encoding is nearest to the query's, and those that point most the other way."""
    inputs = request.inputs
    search = open_search(inputs.index, request.search, device=str(inputs.loaded.device))
    unrelated = Unrelated(inputs.index)
    rankings: list[PromptRanking] = []
    group: list[np.ndarray] = []
    cheap = is_cheap(inputs.index, len(request.prompts))
    for encoded in request.encoded():
        rankings += rankings_of(*search_with_chance(search, unrelated, encoded, request.k, request.opponents))
        if cheap:
            group.append(encoded)
            if len(group) == GROUP or len(rankings) == len(request.prompts):
                some = np.concatenate(group)
                rankings[-len(some) :] = with_recurrence(inputs.index, some, rankings[-len(some) :])
                group.clear()
        request.progress(len(rankings), len(request.prompts))
    manifest = inputs.index.manifest
    about = {
        "method": manifest.method.as_dict(),
        "hessian": manifest.hessian,
        "second_moments": manifest.second_moments,
        "index": inputs.index.path.name,
        "search": search.kind,
        **configured(part_of(search)),
        "model_sha256": manifest.model.sha256,
        "corpus_sha256": manifest.corpus.sha256,
    }
    return rankings, about
