"""The paper's ablations over one prompt set: every variant of the method from one pass over the corpus.

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
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.text import Example
from app.retrieval.search import ranked
from app.runs.retrieve import Task, check_prompts, save
from app.runs.saving import OPPONENTS, PROPONENTS, found_in
from app.store.corpora import stream_passages
from app.store.names import slugify
from app.store.tables import Run
from app.trackstar.config import Method
from app.trackstar.encode import Encoder
from app.trackstar.hessian import Autocorrelation, Whitening, fit_whitening
from app.trackstar.moments import load_moments

CHUNK = 2_048  # passages encoded and scored at a time
LAMBDAS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
"""λ of the trade-off curve, beside the one the eigenvalue rule chooses and 0 (which is +V+R_train)."""
PLAIN = {"gradient-dot": "Gradient dot", "gradient-cosine": "Gradient cosine", "trak": "TRAK-style"}

Progress = Callable[[int, int], None]


def paper_variants(base: Method) -> dict[str, Method]:
    """The rows of the paper's Table 1 with the projection of `base`, by preset name."""
    shared = {
        "groups": base.groups,
        "projection_dim": base.projection_dim,
        "seed": base.seed,
        "damping": base.damping,
    }
    names = ("gradient-dot", "gradient-cosine", "+V", "+R_train", "+V+R_train", "trackstar", "trak")
    return {name: Method.preset(name, **shared) for name in names}


def mixing_variants(base: Method, values: Sequence[float] = LAMBDAS) -> dict[str, Method]:
    """TrackStar at each λ of the trade-off curve.

    Raises:
        UserError: a value is not between 0 and 1.
    """
    trackstar = paper_variants(base)["trackstar"]
    return {f"trackstar-{value:g}": replace(trackstar, mixing=value) for value in values}


def run_slug(prefix: str, variant: str) -> str:
    """The name in URLs of the run that `ablate` makes of a variant."""
    return slugify(prefix + variant.removeprefix("+").replace("+", "-").replace("_", "-"))


def ablate(
    session: Session,
    task: Task,
    variants: Mapping[str, Method],
    *,
    prefix: str = "",
    k: int = PROPONENTS,
    opponents: int = OPPONENTS,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Run]:
    """Make one run for each variant, named `prefix` + its name.

    R_eval of mixed variants comes from the queries about facts; the queries of other tasks are whitened by R_train
    alone, as in the paper.

    Raises:
        UserError: the model has no optimizer state for a variant that needs V, or a run's name is taken.
    """
    slugs = [run_slug(prefix, name) for name in variants]
    if (taken := session.scalar(select(Run.slug).where(Run.slug.in_(slugs)))) is not None:
        raise UserError(
            f"There is a run “{taken}” already.", field="prefix", remedy="Choose another --prefix."
        )
    check_prompts(task)
    texts = [text for _, _, text in stream_passages(session, task.corpus.id)]
    passages = task.loaded.texts.passages(texts)
    queries = [task.loaded.texts.query(query) for query in task.queries]
    facts = np.array([prompt.task == "fact" for prompt in task.prompts])
    families = families_of(variants)
    step = progress or (lambda done, total: None)
    total = len(families) * len(passages)
    runs = []
    for number, members in enumerate(families):
        finished = _family(
            task,
            members,
            passages,
            queries,
            facts,
            k,
            opponents,
            sample,
            seed,
            number * len(passages),
            total,
            step,
        )
        for name, (found, about) in finished.items():
            configuration = {"proponents": k, "opponents": opponents, **about}
            runs.append(
                save(
                    session,
                    task,
                    found,
                    method=name,
                    slug=run_slug(prefix, name),
                    name=_plain(name, about["hessian"]),
                    configuration=configuration,
                )
            )
    return runs


@dataclass
class _Best:
    """The best rows so far of every query, on one side: scores and rows (queries, ≤ k)."""

    k: int
    scores: np.ndarray
    rows: np.ndarray

    def offer(self, scores: np.ndarray, start: int) -> None:
        rows = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
        merged = np.concatenate([self.scores, scores], 1), np.concatenate([self.rows, rows], 1)
        self.scores, self.rows = ranked(*merged, self.k, 1.0, opponents=False)


def _family(
    task: Task,
    members: Mapping[str, Method],
    passages: Sequence[Example],
    queries: Sequence[Example],
    facts: np.ndarray,
    k: int,
    opponents: int,
    sample: int | None,
    seed: int,
    done: int,
    total: int,
    progress: Progress,
) -> dict[str, tuple[list[Any], dict[str, Any]]]:
    first = next(iter(members.values()))
    plain = replace(first, hessian="none", mixing=None, unit_norm=False)
    moments = load_moments(task.loaded, plain.second_moments)
    encoder = Encoder(task.loaded, moments, plain, None)
    asked = encoder.gradients(queries)
    size = min(len(passages), sample or max(1024, 4 * plain.block_size))
    drawn = Random(seed).sample(range(len(passages)), size)
    train = _autocorrelation(plain, encoder.gradients([passages[row] for row in drawn]))
    evaluation = _autocorrelation(plain, asked[torch.from_numpy(facts)])
    finishers = {
        name: _finishers(task, method, moments, train, evaluation) for name, method in members.items()
    }
    encoded = {name: _queries(pair, asked, facts) for name, pair in finishers.items()}
    best = {name: [_empty(len(queries), k), _empty(len(queries), opponents)] for name in members}
    for start in range(0, len(passages), CHUNK):
        gradients = encoder.gradients(passages[start : start + CHUNK])
        hits = np.asarray(gradients.any(1) & gradients.isfinite().all(1))
        for name, (mixed, alone) in finishers.items():
            scores = _scores(encoded[name], gradients, mixed, alone, facts)
            scores[:, ~hits] = -np.inf
            best[name][0].offer(scores, start)
            best[name][1].offer(np.where(np.isfinite(scores), -scores, -np.inf), start)
        progress(done + min(start + CHUNK, len(passages)), total)
    made = {}
    for name, method in members.items():
        high, low = best[name]
        whitening = finishers[name][0].whitening
        about = {
            "method": method.as_dict(),
            "hessian": whitening.report.as_dict() if whitening else None,
            "second_moments": {"source": moments.source, "sha256": moments.sha256} if moments else None,
            "sample": size,
            "model_sha256": task.loaded.sha256,
            "corpus_sha256": task.corpus.sha256,
        }
        found = found_in((high.scores, high.rows), (-low.scores, low.rows) if opponents else None)
        made[name] = (found, about)
    return made


def _finishers(
    task: Task, method: Method, moments: Any, train: Autocorrelation, evaluation: Autocorrelation
) -> tuple[Encoder, Encoder]:
    """Encoders that finish gradients: for facts, and for the other tasks (R_train alone)."""

    def finisher(own: Method, mixed: bool) -> Encoder:
        whitening: Whitening | None = None
        if own.hessian != "none":
            whitening = fit_whitening(
                train, evaluation if mixed else None, mixing=own.mixing, rank=own.rank, damping=own.damping
            )
        return Encoder(task.loaded, moments, own, whitening)

    if method.hessian != "mixed" or evaluation.rows == 0:
        own = replace(method, hessian="train", mixing=None) if method.hessian == "mixed" else method
        one = finisher(own, mixed=False)
        return one, one
    return finisher(method, mixed=True), finisher(replace(method, hessian="train", mixing=None), mixed=False)


def _queries(pair: tuple[Encoder, Encoder], asked: torch.Tensor, facts: np.ndarray) -> np.ndarray:
    mixed, alone = pair
    out = mixed.finish(asked)
    if alone is not mixed and not facts.all():
        out[~facts] = alone.finish(asked[torch.from_numpy(~facts)])
    return out


def _scores(
    queries: np.ndarray, gradients: torch.Tensor, mixed: Encoder, alone: Encoder, facts: np.ndarray
) -> np.ndarray:
    """(queries, passages) float32."""
    rows = mixed.finish(gradients)
    if alone is mixed or facts.all():
        return queries @ rows.T
    scores = np.empty((len(queries), len(rows)), dtype=np.float32)
    scores[facts] = queries[facts] @ rows.T
    scores[~facts] = queries[~facts] @ alone.finish(gradients).T
    return scores


def families_of(variants: Mapping[str, Method]) -> list[dict[str, Method]]:
    """Variants by what decides their projected gradients: each family is one pass over the corpus."""
    families: dict[tuple[Any, ...], dict[str, Method]] = {}
    for name, method in variants.items():
        key = (method.second_moments, method.loss, method.groups, method.projection_dim, method.seed)
        families.setdefault(key, {})[name] = method
    return list(families.values())


def _autocorrelation(method: Method, gradients: torch.Tensor) -> Autocorrelation:
    found = Autocorrelation(method.blocks, method.block_size)
    if len(gradients):
        found.add(gradients)
    return found


def _empty(queries: int, k: int) -> _Best:
    return _Best(k, np.full((queries, 0), -np.inf, np.float32), np.zeros((queries, 0), np.int64))


def _plain(name: str, hessian: Mapping[str, Any] | None) -> str:
    """What tables call the run of a variant."""
    if name.startswith("trackstar") and hessian:
        return f"TrackStar, λ = {hessian['mixing']:.3g}"
    return PLAIN.get(name, name)
