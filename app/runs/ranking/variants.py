"""Variants of the method by gradients, ranked without an index: each passage is encoded and forgotten.

Variants that divide by the same V and take the same loss share their projected gradients, which are the costly
part. Each chunk of passages is encoded once for such a family, finished for every variant (whitened, normalised),
scored against that variant's queries and forgotten; only the best so far are kept. No index is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import torch
from sqlalchemy.orm import Session

from app.models.examples import TrainingExample
from app.retrieval.chance import SAMPLE, chance_of
from app.runs.inputs import RunInputs
from app.runs.ranking.request import Ranked, RankingRequest
from app.runs.ranking.streamed import StreamedSearch, usable_rows
from app.store.corpora import stream_lessons
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.hessian import Autocorrelation, Whitening, fit_whitening
from app.trackstar.moments import Moments, load_moments
from app.trackstar.sampling import sample_size
from app.words.tasks import FACT

CHUNK = 2_048  # passages encoded and scored at a time
SHARED = ("groups", "projection_dim", "seed", "damping")  # of an index, in every variant of its method

Progress = Callable[[int, int], None]


def rank(request: RankingRequest) -> Ranked:
    """The passages by one variant, with the projection of the index.

    Raises:
        UserError: neither the index nor the model has a V for a variant that needs it.
    """
    inputs, name = request.inputs, request.method.name
    members = {name: variant(inputs.index.manifest.method, name)}
    texts = read_texts(request.session, inputs)
    return rank_family(inputs, texts, members, request.k, request.opponents, progress=request.progress)[name]


def variant(base: EncodingConfig, name: str) -> EncodingConfig:
    """The method `name` with the projection of `base`."""
    return EncodingConfig.preset(name, **{key: getattr(base, key) for key in SHARED})


@dataclass(frozen=True)
class TokenizedTexts:
    """Passages and queries as token ids; `facts` (queries,) says which queries give R_eval, as in the paper.

    `others` is what each query is asked against; None where it is asked alone.
    """

    passages: Sequence[TrainingExample]
    queries: Sequence[TrainingExample]
    others: Sequence[TrainingExample | None]
    facts: np.ndarray


def read_texts(session: Session, inputs: RunInputs) -> TokenizedTexts:
    """All passages of the corpus and all prompts with their targets, cut into tokens."""
    passages = [passage for _, passage in stream_lessons(session, inputs.corpus.id)]
    return TokenizedTexts(
        inputs.loaded.texts.passages(passages),
        [inputs.loaded.texts.query(query) for query in inputs.queries],
        [inputs.loaded.texts.query(other) if other else None for other in inputs.others],
        np.array([prompt.task == FACT for prompt in inputs.prompts]),
    )


def rank_family(
    inputs: RunInputs,
    texts: TokenizedTexts,
    members: Mapping[str, EncodingConfig],
    k: int,
    opponents: int,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress,
) -> dict[str, Ranked]:
    """What each variant ranks first, from one pass over the passages.

    Args:
        members: variants that differ in nothing before whitening (`app.runs.ablate.families_of`).
        sample: passages drawn with `seed` to fit R; None for 4·p², or 1,024 where that is fewer.

    Raises:
        UserError: the variants need V, and neither the index nor the model has one.
    """
    passages, facts = texts.passages, texts.facts
    first = next(iter(members.values()))
    plain = replace(first, hessian="none", mixing=None, unit_norm=False)
    moments = _moments(inputs, plain)
    encoder = Encoder(inputs.loaded, moments, plain, None)
    asked = encoder.against(texts.queries, texts.others)
    size = min(len(passages), sample_size(plain, sample))
    drawn = Random(seed).sample(range(len(passages)), size)
    # A corpus of one chunk that is all drawn is encoded once, not for R and again to be ranked.
    known = encoder.gradients(passages) if size == len(passages) <= CHUNK else None

    def gradients(rows: Sequence[int]) -> torch.Tensor:
        return encoder.gradients([passages[row] for row in rows]) if known is None else known[list(rows)]

    train, sampled = _fit_sample(gradients, plain, drawn)
    evaluation = _autocorrelation(plain, asked[torch.from_numpy(facts)])
    usable = sum(bool(passage.targets) for passage in passages)
    searches: dict[str, StreamedSearch] = {}
    for name, method in members.items():
        finishers = _finishers(inputs, method, moments, train, evaluation)
        own = StreamedSearch(*finishers, _queries(finishers, asked, facts), facts, k, opponents)
        if method.unit_norm:
            own.chances = [chance_of(scores, usable) for scores in own.scores(sampled)]
        searches[name] = own
    for start in range(0, len(passages), CHUNK):
        end = min(start + CHUNK, len(passages))
        chunk = gradients(range(start, end))
        for own in searches.values():
            own.offer(chunk, start)
        progress(end, len(passages))
    made = {}
    for name, method in members.items():
        whitening = searches[name].mixed.whitening
        about = {
            "method": method.as_dict(),
            "hessian": whitening.report.as_dict() if whitening else None,
            "second_moments": {"source": moments.source, "sha256": moments.sha256} if moments else None,
            "sample": size,
            "model_sha256": inputs.loaded.sha256,
            "corpus_sha256": inputs.corpus.sha256,
        }
        made[name] = (searches[name].rankings(), about)
    return made


def _moments(inputs: RunInputs, method: EncodingConfig) -> Moments | None:
    """V as the index has it: a model published without its optimizer's state has none beside its weights, and to estimate
    it anew is a pass over the corpus. An index without V leaves the optimizer's state.

    Raises:
        UserError: there is neither.
    """
    index = inputs.index
    if method.second_moments == index.manifest.method.second_moments:
        return index.encoder(inputs.loaded).moments
    return load_moments(inputs.loaded, method.second_moments)


def _fit_sample(
    gradients: Callable[[Sequence[int]], torch.Tensor], method: EncodingConfig, drawn: Sequence[int]
) -> tuple[Autocorrelation, torch.Tensor]:
    """R_train, and the gradients of some that chance is told by. No more than a chunk is held beside them: a sample grows
    with p² and a row with it."""
    train = Autocorrelation(method.blocks, method.block_size)
    kept: list[torch.Tensor] = []
    for start in range(0, len(drawn), CHUNK):
        rows = gradients(drawn[start : start + CHUNK])
        train.add(rows)
        if start < SAMPLE:
            few = rows[: SAMPLE - start]
            kept.append(few[usable_rows(few)])
    return train, torch.cat(kept)


def _finishers(
    inputs: RunInputs,
    method: EncodingConfig,
    moments: Any,
    train: Autocorrelation,
    evaluation: Autocorrelation,
) -> tuple[Encoder, Encoder]:
    """Encoders that finish gradients: for facts, and for the other tasks (R_train alone)."""

    def finisher(own: EncodingConfig, mixed: bool) -> Encoder:
        whitening: Whitening | None = None
        if own.hessian != "none":
            whitening = fit_whitening(
                train, evaluation if mixed else None, mixing=own.mixing, rank=own.rank, damping=own.damping
            )
        return Encoder(inputs.loaded, moments, own, whitening)

    if method.hessian != "mixed" or evaluation.rows == 0:
        own = replace(method, hessian="train", mixing=None) if method.hessian == "mixed" else method
        one = finisher(own, mixed=False)
        return one, one
    return finisher(method, mixed=True), finisher(replace(method, hessian="train", mixing=None), mixed=False)


def _queries(finishers: tuple[Encoder, Encoder], asked: torch.Tensor, facts: np.ndarray) -> np.ndarray:
    mixed, alone = finishers
    out = mixed.finish(asked)
    if alone is not mixed and not facts.all():
        out[~facts] = alone.finish(asked[torch.from_numpy(~facts)])
    return out


def _autocorrelation(method: EncodingConfig, gradients: torch.Tensor) -> Autocorrelation:
    total = Autocorrelation(method.blocks, method.block_size)
    if len(gradients):
        total.add(gradients)
    return total
