"""Every passage's score for every prompt, by each method, from the model that was trained on everything.

Gradient dot and cosine and EK-FAC are taken whole here, over all passages: no projection, no candidates. What is
projected is projected as an index does it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch

from app import files
from app.curvature.fit import fit_curvature
from app.curvature.influence import preconditioned, whole_gradient
from app.curvature.many import products, stacked
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.load import LoadedModel, load_model
from app.retrieval.bm25 import BM25
from app.runs.truth.trainings import MODEL, Experiment
from app.showing import Bar, counting, unseen
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.hessian import Autocorrelation, fit_whitening
from app.trackstar.moments import load_moments
from app.words.methods import BM25 as WORDS
from app.words.methods import COSINE, DOT, EKFAC, HELD_TO_TRUTH, RANDOM, TRACKSTAR, TWO_STAGES, WHITENED

CANDIDATES = 100  # of the first of two stages
SAMPLE = 2_048  # passages that curvatures are fitted on
Scores = dict[str, np.ndarray]


def scores(experiment: Experiment, bar: Bar = unseen) -> Scores:
    """By method (prompts, passages) float32; kept in the work directory and read from there the next time."""
    file = experiment.work / "scores.npz"
    if file.is_file():
        with np.load(file) as kept:
            return {method: kept[method] for method in HELD_TO_TRUTH}
    loaded = load_model(experiment.work / MODEL, device="cpu")
    queries = [loaded.texts.query(each.query) for each in experiment.prompts]
    passages = loaded.texts.passages(experiment.texts)
    found: Scores = {WORDS: by_words(experiment)}
    found[RANDOM] = np.random.default_rng(0).random((len(queries), len(passages)), dtype=np.float32)
    for method in (WHITENED, TRACKSTAR):
        with bar(f"Encoding, {method}") as step:
            found[method] = projected(
                loaded,
                passages,
                queries,
                EncodingConfig.preset(method, projection_dim=experiment.projection_dim),
                step,
            )
    found |= whole(loaded, passages, queries, experiment.work / "curvature", bar)
    found[TWO_STAGES] = candidates_only(found[TRACKSTAR], found[EKFAC])
    with files.whole(file) as partial, partial.open("wb") as out:
        np.savez(out, **found)  # type: ignore[arg-type]  # its stubs take `allow_pickle` for any name
    return found


def by_words(experiment: Experiment) -> np.ndarray:
    """BM25 of prompt and target; 0 for passages that share no word."""
    bm25 = BM25.build(experiment.texts)
    best, rows = bm25.search([each.query.joined for each in experiment.prompts], len(experiment.texts))
    out = np.zeros((len(experiment.prompts), len(experiment.texts)), dtype=np.float32)
    for own, values, places in zip(out, best, rows, strict=True):
        own[places[places >= 0]] = values[places >= 0]
    return out


def projected(
    loaded: LoadedModel,
    passages: list[TrainingExample],
    queries: list[TrainingExample],
    config: EncodingConfig,
    step: Callable[[int, int], None],
) -> np.ndarray:
    """The cosine of encodings, as an index of this method has it; R of the task from the queries themselves."""
    moments = load_moments(loaded, config.second_moments)
    plain = Encoder(loaded, moments, replace(config, hessian="none", mixing=None, unit_norm=False), None)
    rows, asked = plain.gradients(passages, done=counting(step, len(passages))), plain.gradients(queries)
    train, evaluation = (Autocorrelation(config.blocks, config.block_size) for _ in range(2))
    train.add(rows[Random(0).sample(range(len(rows)), min(len(rows), 4 * config.block_size))])
    evaluation.add(asked)
    mixed = evaluation if config.hessian == "mixed" else None
    whitening = fit_whitening(train, mixed, mixing=config.mixing, rank=config.rank, damping=config.damping)
    encoder = Encoder(loaded, moments, config, whitening)
    found: np.ndarray = encoder.finish(asked) @ encoder.finish(rows).T
    return found


def whole(
    loaded: LoadedModel,
    passages: list[TrainingExample],
    queries: list[TrainingExample],
    factors: Path,
    bar: Bar = unseen,
) -> Mapping[str, np.ndarray]:
    """Gradient dot, gradient cosine and EK-FAC over all passages, from one pass over them."""
    drawn = Random(0).sample(range(len(passages)), min(SAMPLE, len(passages)))
    with bar("Fitting EK-FAC") as step:
        curvature = fit_curvature(loaded, [passages[row] for row in drawn], factors, done=step)
    capture = Capture(loaded)
    plain = [whole_gradient(capture, query) for query in queries]
    turned = [preconditioned(capture, curvature, query) for query in queries]
    with bar("Products of whole gradients") as step:
        told = counting(step, len(passages))
        both, lengths = products(capture, stacked([*plain, *turned]), passages, done=told)
    dot, ekfac = (part.T.float().numpy() for part in both.split(len(queries), 1))
    sizes = torch.where(lengths > 0, lengths, 1.0).float().numpy()
    return {DOT: dot, COSINE: dot / sizes, EKFAC: ekfac}


def first_only(scores: np.ndarray) -> np.ndarray:
    """A method's scores of its own best; the small ones of thousands, whose sum is mostly noise, count nothing."""
    return candidates_only(scores, scores)


def candidates_only(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The second stage's scores of the first's best; of all others nothing is claimed, so they count nothing."""
    count = min(CANDIDATES, first.shape[1])
    best = np.argpartition(-first, count - 1, axis=1)[:, :count]
    out = np.zeros_like(second)
    np.put_along_axis(out, best, np.take_along_axis(second, best, 1), 1)
    return out
