"""Fits EK-FAC's factors on a sample of passages, a few weights at a time, and keeps each weight's in a file of its own.

Memory holds the sums of as many weights as `budget` allows; the sample goes through the model twice for each such
part. A part whose files are whole is not fitted again, so a fit that was stopped goes on where it was. Labels are
drawn from the model with the same seed for every part: how the weights are parted, and who fits them, changes no number.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from app.curvature.factors import DAMPING, Factors
from app.curvature.parts import BUDGET, PartFit, shared_out
from app.curvature.passing import LABELS, usable
from app.curvature.place import MANIFEST
from app.digests import file_sha256
from app.errors import NotFound, UserError
from app.files import whole, write_json
from app.models.examples import TrainingExample
from app.models.hands import Hands, own_hands, unheard
from app.models.load import LoadedModel
from app.models.weights import LinearWeight
from app.showing import counting


@dataclass(frozen=True)
class FactorsManifest:
    """What decides the factors' numbers, and what their files must look like.

    Args:
        model: SHA-256 of the checkpoint.
        passages: how many the factors are fitted on. tokens: SHA-256 over their token ids.
        labels: what the gradients were of, one of `LABELS`.
        seed: of the draws.
        damping: what is added to a weight's curvature, as a share of its mean; decides none of the files.
        files: name -> SHA-256; empty until every weight is fitted.
    """

    model: str
    passages: int
    tokens: str
    labels: str
    seed: int
    damping: float = DAMPING
    files: dict[str, str] = field(default_factory=dict)


def fit_curvature(
    loaded: LoadedModel,
    sample: Sequence[TrainingExample],
    directory: Path,
    *,
    labels: str = "",
    seed: int = 0,
    budget: int = BUDGET,
    done: Callable[[int, int], None] | None = None,
    hands: Hands[LoadedModel] | None = None,
) -> dict[str, Factors]:
    """Factors of all of the model's linear weights, by name; those already in `directory` are read, not fitted.

    Args:
        sample: passages drawn at random from the corpus.
        labels: one of `LABELS`; empty: those of the fit that was begun in `directory`, else drawn from the model.
        budget: bytes that one part's sums may take.
        done: called with passages gone through and all there are to go through.
        hands: who fits, a part of the weights at a time; None: this process.

    Raises:
        UserError: no passage has a loss token, `labels` is not known, or the directory holds another fit.
    """
    began = _manifest(directory / MANIFEST) if (directory / MANIFEST).is_file() else None
    labels = labels or (began.labels if began else LABELS[0])
    if labels not in LABELS:
        raise UserError(f"{labels!r} is not known.", field="labels", remedy=f"Choose {' or '.join(LABELS)}.")
    lessons = usable(sample)
    if not lessons:
        raise UserError("No passage of the sample has text.", remedy="Check the corpus.")
    damping = began.damping if began else DAMPING
    manifest = FactorsManifest(loaded.sha256, len(lessons), _digest(lessons), labels, seed, damping)
    directory.mkdir(parents=True, exist_ok=True)
    _begin(directory / MANIFEST, began, manifest)
    who = hands or own_hands(loaded)
    missing = [
        part
        for part in shared_out(loaded.weights, budget, who.count)
        if not all(_file(directory, loaded.weights[at]).is_file() for at in part)
    ]
    told, each = done or (lambda gone, total: None), 2 * len(lessons)
    within = counting(told, each * len(missing)) if who.count == 1 else unheard
    work = PartFit(lessons, manifest.labels, manifest.seed)
    for number, fitted in enumerate(who.each(work, missing, within), start=1):
        _save(fitted, loaded.weights, directory)
        fitted.clear()  # room for the next part
        told(each * number, each * len(missing))
    files = [_file(directory, weight) for weight in loaded.weights]
    write_json(
        directory / MANIFEST,
        asdict(replace(manifest, files={file.name: file_sha256(file) for file in files})),
    )
    return read_curvature(directory, loaded)


def labels_of(directory: Path) -> str:
    """What the gradients of the factors in `directory` were of, one of `LABELS`."""
    return _manifest(directory / MANIFEST).labels


def set_damping(directory: Path, damping: float) -> None:
    """What is added to the curvature of the factors in `directory` from now on, as a share of each weight's mean."""
    file = directory / MANIFEST
    write_json(file, asdict(replace(_manifest(file), damping=damping)))


def read_curvature(directory: Path, loaded: LoadedModel) -> dict[str, Factors]:
    """The factors that `fit_curvature` wrote, memory-mapped, by the weight's name.

    Raises:
        NotFound: there are none. UserError: they are another model's, or a file is missing or damaged.
    """
    file = directory / MANIFEST
    if not file.is_file():
        raise NotFound(
            f"There are no EK-FAC factors at {directory}.",
            field="curvature",
            remedy="Let startrail retrieve --method trackstar+ekfac fit them.",
        )
    manifest = _manifest(file)
    if manifest.model != loaded.sha256:
        raise UserError(
            f"The EK-FAC factors are of another model than {loaded.path.name}.",
            file=file,
            field="model",
            remedy="Fit them again for this model.",
        )
    if not manifest.files:
        raise UserError(
            "The EK-FAC factors are not finished.",
            file=file,
            remedy="Give the command that fits them again: it goes on where it was.",
        )
    return {
        weight.name: replace(_read(_file(directory, weight), weight, loaded.device), damping=manifest.damping)
        for weight in loaded.weights
    }


def verify_curvature(directory: Path) -> int:
    """Reads every file and compares checksums; how many files that were.

    Raises:
        UserError: a file is not what the manifest says; it is named.
    """
    files = _manifest(directory / MANIFEST).files
    for name, sha256 in files.items():
        file = directory / name
        if not file.is_file() or file_sha256(file) != sha256:
            raise _damaged(file)
    return len(files)


def _save(fitted: Mapping[int, Factors], weights: Sequence[LinearWeight], directory: Path) -> None:
    """Each weight's factors as a safetensors file, whole or not at all."""
    for at, factors in fitted.items():
        tensors = {"left": factors.left, "right": factors.right, "curvature": factors.curvature}
        with whole(_file(directory, weights[at])) as partial:
            save_file({key: value.float().contiguous() for key, value in tensors.items()}, partial)


def _begin(file: Path, began: FactorsManifest | None, manifest: FactorsManifest) -> None:
    if began and replace(began, files={}) != manifest:
        raise UserError(
            f"{file.parent} holds EK-FAC factors of another model, sample, seed or labels.",
            file=file,
            remedy="Remove the directory, or name another.",
        )
    if not began:
        write_json(file, asdict(manifest))


def _manifest(file: Path) -> FactorsManifest:
    try:
        return FactorsManifest(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"It is damaged: {error}.", file=file, remedy="Fit the factors again.") from None


def _read(file: Path, weight: LinearWeight, device: torch.device) -> Factors:
    try:
        tensors = load_file(file, device=str(device))
        factors = Factors(tensors["left"], tensors["right"], tensors["curvature"])
    except (OSError, KeyError, SafetensorError):
        raise _damaged(file) from None
    if factors.curvature.shape != (weight.out_features, weight.in_features):
        raise _damaged(file)
    return factors


def _damaged(file: Path) -> UserError:
    return UserError("It is missing or damaged.", file=file, remedy="Remove it, and fit the factors again.")


def _digest(sample: Sequence[TrainingExample]) -> str:
    content = json.dumps([one.ids for one in sample]).encode()
    return hashlib.sha256(content).hexdigest()


def _file(directory: Path, weight: LinearWeight) -> Path:
    return directory / f"{weight.name}.safetensors"
