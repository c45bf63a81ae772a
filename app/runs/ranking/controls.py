"""Controls: what no method looked for, and what a perfect search for statements would give."""

from random import Random

from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, RankedRows, passage_ids, stated_passages

SEED = 0


def at_random(request: RankingRequest) -> Ranked:
    """Passages drawn at random for each prompt, the same every time."""
    rng, passages = Random(SEED), request.inputs.corpus.passage_count
    count = min(request.k, passages)
    rankings = [
        PromptRanking(RankedRows(rng.sample(range(passages), count), [None] * count)) for _ in request.prompts
    ]
    return rankings, {"seed": SEED}


def stated(request: RankingRequest) -> Ranked:
    """The passages that state the prompt's fact, in corpus order."""
    inputs = request.inputs
    rows = {int(id_): row for row, id_ in enumerate(passage_ids(request.session, inputs.corpus))}
    known = stated_passages(request.session, inputs.prompt_set)
    rankings = []
    for prompt in request.prompts:
        own = sorted(rows[id_] for id_ in known.get(prompt.id, ()))[: request.k]
        rankings.append(PromptRanking(RankedRows(own, [None] * len(own))))
    return rankings, {}
