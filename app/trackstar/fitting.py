"""Fitting V and R for a build that may be stopped: every part is kept, and the whole once it is there."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from app.files import write_json
from app.models.hands import Hands
from app.models.load import LoadedModel
from app.models.text import Query
from app.trackstar.config import EncodingConfig
from app.trackstar.fit import FILE, SCALED, Fit, estimates, fit, fit_moments, load_fit, save_fit
from app.trackstar.hessian import HessianReport
from app.trackstar.moments import Moments
from app.trackstar.parts import Parts
from app.words.roles import Lesson

FITTED = "fit.json"
DIVIDED = "divided.json"  # the hash of the V that kept gradients were divided by


def passes(
    loaded: LoadedModel,
    method: EncodingConfig,
    sample: Sequence[Lesson],
    queries: Sequence[Query],
    asked: bool,
) -> int:
    """Examples that fitting passes through the model, for a progress that knows its end.

    Args:
        asked: V is estimated, though there is an optimizer's state.
    """
    times = estimates(loaded, method, asked) + (method.hessian != "none")
    scaled = 0 if method.unit_norm else len(sample[:SCALED])
    return times * len(sample) + len(queries) * (method.hessian == "mixed") + scaled


def fit_or_go_on(
    loaded: LoadedModel,
    method: EncodingConfig,
    sample: Sequence[Lesson],
    queries: Sequence[Query],
    work: Path,
    *,
    hands: Hands[LoadedModel],
    batch_tokens: int,
    estimate: bool,
    done: Callable[[int], None],
) -> Fit:
    """V and R^(-1/2) in `work`: as an interrupted build left them there, whole or in parts, or fitted now.

    Args:
        hands: who computes.
        done: called with the number of examples finished, part by part.

    Raises:
        UserError: see `fit_moments` and `fit`.
    """
    parts = Parts(work)
    note = work / FITTED
    if note.is_file():
        values = json.loads(note.read_text(encoding="utf-8"))
        report = HessianReport(**values["hessian"]) if values["hessian"] else None
        kept = load_fit(work / FILE, loaded, method, values["source"], report, values["row_scale"])
        if _moments_sha256(kept) == values.get("moments"):
            return kept
        # An exact V stays with the optimizer's state, which is another now.
        for stale in (*work.glob("encodings-*"), *work.glob("fitting-*")):
            stale.unlink()
    moments = fit_moments(loaded, method, sample, estimate=estimate, hands=hands, parts=parts, done=done)
    _of_these_moments(work, moments)
    fitted = fit(
        loaded,
        method,
        moments,
        sample,
        queries,
        batch_tokens=batch_tokens,
        hands=hands,
        parts=parts,
        done=done,
    )
    save_fit(fitted, work / FILE)
    hessian = fitted.whitening.report.as_dict() if fitted.whitening else None
    source = fitted.moments.source if fitted.moments else ""
    about = {"source": source, "moments": _moments_sha256(fitted), "hessian": hessian}
    write_json(note, {**about, "row_scale": fitted.row_scale})
    # Read back, so that a resumed build and this one compute with the same numbers.
    return load_fit(
        work / FILE,
        loaded,
        method,
        source,
        fitted.whitening.report if fitted.whitening else None,
        fitted.row_scale,
    )


def _of_these_moments(work: Path, moments: Moments | None) -> None:
    """Drops projected gradients that an interrupted fit divided by another V: the optimizer's state may have changed."""
    note, now = work / DIVIDED, moments.sha256 if moments else ""
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != now:
        for stale in work.glob("fitting-R*"):
            stale.unlink()
    write_json(note, now)


def _moments_sha256(fitted: Fit) -> str | None:
    return fitted.moments.sha256 if fitted.moments else None
