"""TrackStar finds, EK-FAC decides: the encodings give candidates, their exact influence the order.

The index's own method names the hundred passages nearest to the query; each one's influence is then computed without a
projection (`app.curvature.influence`), so that neither a seed nor the size of the encodings decides the order. Of
passages that are no candidates nothing is claimed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random

from app.curvature.damping import search_damping
from app.curvature.deciding import CANDIDATES, Candidates, InOrder
from app.curvature.factors import DAMPING, Factors
from app.curvature.fit import fit_curvature, labels_of, set_damping
from app.curvature.passing import LABELS
from app.curvature.place import FACTORS, manifest_of
from app.digests import file_sha256
from app.errors import UserError
from app.models.examples import TrainingExample
from app.models.hands import Hands
from app.models.load import LoadedModel
from app.retrieval.search import open_search, part_of
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.saving import PromptRanking, rankings_of
from app.words.methods import EKFAC
from app.words.partial import configured

SAMPLE = 2_048  # passages that the factors are fitted on
SEED = 0
SEARCH = "search"  # for a damping


def rank(request: RankingRequest) -> Ranked:
    """The index's nearest passages, ordered by ∇L_m · (H + damping)⁻¹ ∇L_q.

    Raises:
        UserError: the factors beside the index are another model's or damaged.
    """
    inputs = request.inputs
    texts, place = inputs.loaded.texts, inputs.index.path.resolve()
    passages = texts.passages(list(request.lessons()))
    factors = fitted(inputs.loaded, passages, place, progress=request.progress, hands=inputs.hands)
    damping = next(iter(factors.values())).damping
    del factors  # whoever orders reads them
    search = open_search(inputs.index, request.search, device=str(inputs.loaded.device))
    wanted = max(CANDIDATES, request.k)
    near = [rows[rows >= 0] for encoded in request.encoded() for rows in search.search(encoded, wanted)[1]]
    pieces = (
        [
            Candidates(
                texts.query(this), texts.query(that) if that else None, rows, [passages[row] for row in rows]
            )
        ]
        for this, that, rows in zip(inputs.queries, inputs.others, near, strict=True)
    )
    work = InOrder(place, file_sha256(manifest_of(place)), request.k)
    rankings: list[PromptRanking] = []
    for scores, best in inputs.hands.each(work, pieces):
        rankings += rankings_of((scores[None], best[None]))
        request.progress(len(rankings), len(near))
    about = {
        "candidates": wanted,
        "found_by": inputs.index.manifest.method.as_dict(),
        "index": inputs.index.path.name,
        "search": search.kind,
        **configured(part_of(search)),
        "curvature": {
            "labels": labels_of(inputs.index.path / FACTORS),
            "passages": min(SAMPLE, len(passages)),
            "seed": SEED,
            "damping": damping,
        },
        "model_sha256": inputs.index.manifest.model.sha256,
        "corpus_sha256": inputs.index.manifest.corpus.sha256,
    }
    return rankings, about


def fitted(
    loaded: LoadedModel,
    passages: Sequence[TrainingExample],
    index: Path,
    *,
    labels: str = "",
    damping: str = "",
    progress: Callable[[int, int], None] | None = None,
    hands: Hands[LoadedModel] | None = None,
) -> dict[str, Factors]:
    """The factors that stand beside an index; fitted on a random sample of its corpus where there are none.

    Args:
        labels: as `fit_curvature`.
        damping: of each weight's mean curvature; `search`: by as many passages that the factors were not fitted on; empty:
            as it was.
        hands: who fits them; None: this process.

    Raises:
        UserError: those that are there are another model's, or damaged, or the damping is no number above zero.
    """
    drawn = Random(SEED).sample(range(len(passages)), min(SAMPLE, len(passages)))
    place = index / FACTORS
    factors = fit_curvature(
        loaded,
        [passages[row] for row in drawn],
        place,
        labels=labels,
        seed=SEED,
        done=progress,
        hands=hands,
    )
    if not damping:
        return factors
    found = _number(damping)
    if found is None:
        rest = sorted(set(range(len(passages))) - set(drawn))
        others = Random(SEED).sample(rest, min(SAMPLE, len(rest)))
        held_out = [passages[row] for row in others]
        found = search_damping(
            loaded, factors, held_out, labels=labels_of(place), seed=SEED, done=progress, hands=hands
        )
    set_damping(place, found)
    return {name: replace(each, damping=found) for name, each in factors.items()}


def check_factors(labels: str, damping: str, *, fitted: bool) -> None:
    """What is asked of the factors, before anything is read.

    Args:
        fitted: whether factors are asked for at all.

    Raises:
        UserError: one is not known, or there would be no factors that it could be of.
    """
    for field, value in (("rerank_labels", labels), ("rerank_damping", damping)):
        if value and not fitted:
            raise UserError(
                "Without factors it would change nothing.",
                field=field,
                remedy=f"Give --rerank {EKFAC} too, or leave it out.",
            )
    if labels and labels not in LABELS:
        raise UserError(
            f"{labels!r} is not known.", field="rerank_labels", remedy=f"Choose {' or '.join(LABELS)}."
        )
    if damping:
        _number(damping)


def _number(damping: str) -> float | None:
    """The damping that was asked for; None where it is to be searched.

    Raises:
        UserError: it is neither a number above zero nor `search`.
    """
    if damping == SEARCH:
        return None
    try:
        number = float(damping)
    except ValueError:
        number = 0.0
    if not 0 < number < inf:
        raise UserError(
            f"{damping!r} is no number above zero.",
            field="rerank_damping",
            remedy=f"Give one, such as {DAMPING:g}, or {SEARCH}.",
        )
    return number
