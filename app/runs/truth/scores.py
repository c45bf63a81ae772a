"""Every passage's score for every prompt, by each method, from the model that was trained on everything.

Gradient dot and cosine and EK-FAC are taken whole here, over all passages: no projection, no candidates. What is
projected is projected as an index does it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Generic

import numpy as np
import torch

from app import files
from app.curvature.fit import fit_curvature
from app.curvature.many import BATCH_TOKENS as WHOLE_TOKENS
from app.curvature.many import WholeProducts
from app.models.batching import in_batches, tokens_in_room
from app.models.examples import TrainingExample
from app.models.hands import Done, Hands, Made, Work, own_hands, unheard
from app.models.load import LoadedModel, load_model
from app.retrieval.bm25 import BM25
from app.runs.truth.trainings import MODEL, Experiment
from app.showing import Bar, counting, unseen
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import BATCH_TOKENS, Encoder, ProjectedRows
from app.trackstar.hessian import Autocorrelation, fit_whitening
from app.trackstar.moments import load_moments
from app.words.methods import BM25 as WORDS
from app.words.methods import COSINE, DOT, EKFAC, HELD_TO_TRUTH, RANDOM, TRACKSTAR, TWO_STAGES, WHITENED

CANDIDATES = 100  # of the first of two stages
SAMPLE = 2_048  # passages that curvatures are fitted on
Scores = dict[str, np.ndarray]


def scores(experiment: Experiment, bar: Bar = unseen, hands: Hands[None] | None = None) -> Scores:
    """By method (prompts, passages) float32; kept in the work directory and read from there the next time.

    Args:
        hands: who goes through the passages; None: this process.
    """
    file = experiment.work / "scores.npz"
    if file.is_file():
        with np.load(file) as kept:
            return {method: kept[method] for method in HELD_TO_TRUTH}
    place = experiment.work / MODEL
    loaded = load_model(place, device="cpu")
    who = (
        ModelSent(hands, {each.name: each.read_bytes() for each in place.iterdir()})
        if hands
        else own_hands(loaded)
    )
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
                who,
                step,
            )
    found |= whole(loaded, passages, queries, experiment.work / "curvature", who, bar)
    found[TWO_STAGES] = candidates_only(found[TRACKSTAR], found[EKFAC])
    with files.whole(file) as partial, partial.open("wb") as out:
        np.savez(out, **found)  # type: ignore[arg-type]  # its stubs take `allow_pickle` for any name
    return found


@dataclass(frozen=True)
class WithModel(Generic[Made]):
    """Work that a model is needed for, as work of hands that hold nothing; see `app.models.hands.Work`.

    Args:
        files: of the model's directory, by name.
    """

    work: Work[LoadedModel, Made]
    files: Mapping[str, bytes]

    def begin(self, held: None, /) -> Callable[[Sequence[Any], Done], Made]:
        """See `app.models.hands.Work.begin`."""
        with TemporaryDirectory() as place:
            for name, content in self.files.items():
                (Path(place) / name).write_bytes(content)
            return self.work.begin(load_model(Path(place), device="cpu"))


@dataclass(frozen=True)
class ModelSent:
    """Hands that are sent a small model with each work: it was trained for the experiment, and is on no other machine."""

    hands: Hands[None]
    files: Mapping[str, bytes]

    @property
    def device(self) -> str:
        """See `Hands.device`."""
        return self.hands.device

    @property
    def count(self) -> int:
        """See `Hands.count`."""
        return self.hands.count

    def each(
        self, work: Work[LoadedModel, Made], pieces: Iterable[Sequence[Any]], done: Done = unheard
    ) -> Iterator[Made]:
        """See `Hands.each`."""
        return self.hands.each(WithModel(work, self.files), pieces, done)


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
    who: Hands[LoadedModel],
    step: Callable[[int, int], None],
) -> np.ndarray:
    """The cosine of encodings, as an index of this method has it; R of the task from the queries themselves."""
    moments = load_moments(loaded, config.second_moments)
    plain = replace(config, hessian="none", mixing=None, unit_norm=False)
    tokens = tokens_in_room(loaded, BATCH_TOKENS)
    work = ProjectedRows(moments, plain, tokens)
    gradients = np.zeros((len(passages), config.dimension), dtype=np.float32)
    for batch, made in in_batches(who, work, passages, tokens, counting(step, len(passages))):
        gradients[batch] = made
    rows, asked = (torch.from_numpy(each) for each in (gradients, np.array(next(who.each(work, [queries])))))
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
    who: Hands[LoadedModel],
    bar: Bar = unseen,
) -> Mapping[str, np.ndarray]:
    """Gradient dot, gradient cosine and EK-FAC over all passages, from one pass over them."""
    drawn = Random(0).sample(range(len(passages)), min(SAMPLE, len(passages)))
    with bar("Fitting EK-FAC") as step:
        curvature = fit_curvature(loaded, [passages[row] for row in drawn], factors, done=step, hands=who)
    both = torch.zeros(len(passages), 2 * len(queries), dtype=torch.float64)
    lengths = torch.zeros(len(passages), dtype=torch.float64)
    work = WholeProducts(queries, curvature)
    with bar("Products of whole gradients") as step:
        for batch, made in in_batches(who, work, passages, WHOLE_TOKENS, counting(step, len(passages))):
            both[batch], lengths[batch] = made
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
