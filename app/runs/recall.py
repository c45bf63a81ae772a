"""How many of the passages that EK-FAC would put first a first stage finds: measured over the whole corpus, for a sample.

One pass over the corpus gives every passage's exact influence on all questions at once, so this costs a few readings of
the corpus and is done once for an index.
"""

from collections.abc import Callable
from random import Random

import numpy as np
import torch

from app.curvature.deciding import CANDIDATES, deciding_beside
from app.curvature.many import products, stacked
from app.curvature.recall import CandidateRecall, keep_recall
from app.errors import NotFound, UserError
from app.evaluation.metrics import estimate
from app.models.load import compute_type, load_model
from app.retrieval.search import open_search
from app.runs.building import index_place, task_queries
from app.settings import Settings
from app.showing import counting
from app.store.corpora import get_corpus, stream_lessons
from app.store.engine import Store
from app.tracing.catalog import choose
from app.tracing.loaded import check_corpus
from app.trackstar.index import open_index

FIRST = 10  # passages of EK-FAC's order that are looked for among the candidates
AT_ONCE = 16  # questions whose directions stand in memory together


def measure_recall(
    settings: Settings,
    store: Store,
    name: str,
    prompt_set: str,
    *,
    most: int = 20,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CandidateRecall:
    """Measure it for an index with EK-FAC factors, and keep it beside them, where answers find it.

    Args:
        prompt_set: whose prompts are asked, `most` of them, drawn at random.

    Raises:
        NotFound: the index has no factors. UserError: there are no prompts with a target.
    """
    askable = choose(settings, index=name)
    index = open_index(index_place(settings, name))
    loaded = load_model(
        askable.model_path,
        device=settings.device,
        dtype=compute_type(settings.dtype),
        **index.manifest.opening,
    )
    second = deciding_beside(index.path, loaded)
    if second is None:
        raise NotFound(
            f"The index “{name}” has no EK-FAC factors, so there is one stage only.",
            field="index",
            remedy="Build it with --rerank ekfac.",
        )
    queries = task_queries(store, prompt_set)
    if not queries:
        raise UserError(
            f"“{prompt_set}” has no prompt with a target.", field="prompts", remedy="Name another prompt set."
        )
    queries = Random(0).sample(queries, min(most, len(queries)))
    with store.session() as session:
        corpus = get_corpus(session, askable.corpus)
        check_corpus(corpus, index)
        passages = loaded.texts.passages([lesson for _, lesson in stream_lessons(session, corpus.id)])
    search = open_search(index, device=str(loaded.device))
    _, near = search.search(index.encoder(loaded).encode_queries(queries), CANDIDATES)
    first = min(FIRST, len(passages))
    shares: list[float] = []
    for start in range(0, len(queries), AT_ONCE):
        some = queries[start : start + AT_ONCE]
        parts = -(-len(queries) // AT_ONCE)
        told = counting(progress, parts * len(passages), start // AT_ONCE * len(passages))
        directions = stacked([second.direction(loaded.texts.query(query)) for query in some])
        found, _ = products(second.capture, directions, passages, done=told)
        best = torch.topk(found, first, dim=0).indices.T.numpy()
        shares += [float(np.isin(own, rows).mean()) for own, rows in zip(best, near[start:], strict=False)]
    share = estimate(shares)
    assert share is not None  # there are questions
    recall = CandidateRecall(
        round(share.mean, 4),
        round(share.low, 4),
        round(share.high, 4),
        len(shares),
        prompt_set,
        first,
        CANDIDATES,
        len(passages),
    )
    keep_recall(index.path, recall)
    return recall
