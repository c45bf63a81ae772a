"""How runs are ordered and joined into curves: by λ, by another switch, by model size, by training step. Pure.

Conventions:

- Along a switch (d, damping, seed) runs are TrackStar with R_train alone, and differ in nothing else.
- λ is what the run's configuration says (`hessian.mixing`), 0 where the Hessian is the corpus's alone.
- A model named `NAME-step-N` (or `NAME-checkpoint-N`) is a checkpoint of `NAME` after N steps; the model `NAME`
  itself is the end of that training. `startrail pretrain --checkpoints` names them so.
- Models of different names and sizes (`Model.parameters`) form a curve over size.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import UserError
from app.store.tables import Run
from app.trackstar.config import EncodingConfig
from app.trackstar.sampling import too_few
from app.words.answers import SAID
from app.words.methods import SWITCHES, TRACKSTAR, WHITENED, method_of, place_of, point_of

_Rest = tuple[str, str, str, EncodingConfig]  # model, corpus, what is explained, all switches but one
SWITCHED = {
    "d": "projection_dim",
    "damping": "damping",
    "seed": "seed",
}
"""What a curve goes over -> the switch that it is."""
_STEP = re.compile(r"[-/_@](?:step|checkpoint)[-_]?(\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class Curve:
    """Runs of one method along an axis: (place, label, run), in order; `of` tells several of one method apart."""

    name: str
    points: list[tuple[float, str, Run]]
    of: str = ""


def ordered(runs: Iterable[Run]) -> list[Run]:
    """In the registry's order, as in the paper's table; the points of a curve behind their method, curve by curve."""

    def place(run: Run) -> tuple[int, int, float, int]:
        point = point_of(run.method)
        curve, value = (1 + list(SWITCHES).index(point[0]), point[1]) if point else (0, mixing_of(run) or 0.0)
        return (place_of(run.method), curve, value, run.id)

    return sorted(runs, key=place)


def mixing_of(run: Run) -> float | None:
    """λ of the run, None where its method has no Hessian."""
    hessian = run.configuration.get("hessian")
    found = hessian.get("mixing") if isinstance(hessian, dict) else None
    return float(found) if isinstance(found, int | float) else None


def over_mixing(runs: Iterable[Run]) -> list[Curve]:
    """The whole method's runs by λ, one for each value: a curve for each model, projection and damping that has three or more."""
    groups: dict[tuple[str, str], dict[float, Run]] = {}
    for run in runs:
        method = run.configuration.get("method")
        switches = method if isinstance(method, dict) else {}
        whole = (switches.get("second_moments") or "none") != "none" and switches.get("unit_norm")
        mixing = mixing_of(run)
        switch, _ = point_of(run.method) or ("", 0.0)
        if whole and mixing is not None and not switch:
            groups.setdefault((run.model.name, _projected(switches)), {}).setdefault(round(mixing, 6), run)
    found = {key: points for key, points in groups.items() if len(points) > 2}
    models, settings = {name for name, _ in found}, {said for _, said in found}
    return [
        Curve(
            TRACKSTAR,
            [(value, f"{value:.4g}", points[value]) for value in sorted(points)],
            ", ".join([*([name] if len(models) > 1 else []), *([said] if len(settings) > 1 else [])]),
        )
        for (name, said), points in found.items()
    ]


def _projected(switches: Mapping[str, Any]) -> str:
    """What a run's Hessians are of, besides their mixture."""
    names = {"groups": "groups", "p": "projection_dim", "damping": "damping", "seed": "seed"}
    return ", ".join(f"{said} {switches[name]}" for said, name in names.items() if name in switches)


def over_switch(runs: Iterable[Run], axis: str) -> list[Curve]:
    """TrackStar's runs with R_train alone along one switch: a curve for each setting of all others that has two or more."""
    groups: dict[_Rest, dict[float, Run]] = {}
    for run in runs:
        if (method := method_with_train(run)) is not None:
            rest = replace(method, **{SWITCHED[axis]: getattr(EncodingConfig(), SWITCHED[axis])})
            value = method.dimension if axis == "d" else getattr(method, axis)
            corpus = run.corpus.name if run.corpus else ""
            groups.setdefault((run.model.name, corpus, run.explains, rest), {}).setdefault(value, run)
    found = {rest: points for rest, points in groups.items() if len(points) > 1}
    told = dict(zip(found, _told_apart([*found]), strict=True))
    return [
        Curve(TRACKSTAR, [(at, _switch_said(at), points[at]) for at in sorted(points)], told[rest])
        for rest, points in found.items()
    ]


def method_with_train(run: Run) -> EncodingConfig | None:
    """The settings of a run of the whole method whose Hessian is the corpus's alone; None of any other."""
    settings = run.configuration.get("method")
    own = method_of(run.method).name in (TRACKSTAR, WHITENED)
    if not own or not isinstance(settings, dict) or mixing_of(run) != 0:
        return None
    try:
        method = EncodingConfig.from_dict(settings)
    except (UserError, TypeError):  # of another version, or of a file
        return None
    whole = method.second_moments != "none" and method.unit_norm and method.loss == EncodingConfig().loss
    return replace(method, hessian="train", mixing=None, mixing_rank=None) if whole else None


def fitted_on_too_few(run: Run) -> bool:
    """Whether R had fewer passages than a block has numbers."""
    method, hessian = method_with_train(run), run.configuration.get("hessian") or {}
    return method is not None and too_few(hessian.get("rows_train") or method.block_size, method.block_size)


def _switch_said(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _told_apart(settings: Sequence[_Rest]) -> list[str]:
    """What each curve is of that not all are."""
    said = [
        (
            model,
            corpus,
            "what was said" if explains == SAID else "targets",
            f"{method.groups} groups",
            f"p = {method.projection_dim}",
            f"damping {method.damping:g}",
            f"seed {method.seed}",
            f"V {method.second_moments}",
        )
        for model, corpus, explains, method in settings
    ]
    differ = [at for at, parts in enumerate(zip(*said, strict=True)) if len(set(parts)) > 1]
    return [", ".join(own[at] for at in differ) for own in said]


def over_training(runs: Sequence[Run]) -> list[Curve]:
    """For each method and training, its runs over the checkpoints, the finished model last."""
    groups: dict[tuple[str, str], list[tuple[float, str, Run]]] = {}
    bases = {base for run in runs if (base := checkpoint_of(run.model.name)[0]) != run.model.name}
    for run in runs:
        base, step = checkpoint_of(run.model.name)
        if base in bases:
            label = "final" if step is None else f"{step:,}"
            of = base if len(bases) > 1 else ""
            groups.setdefault((run.method, of), []).append((step or float("inf"), label, run))
    return _curves(groups)


def over_size(runs: Sequence[Run]) -> list[Curve]:
    """For each method, its runs over models of different sizes."""
    groups: dict[tuple[str, str], list[tuple[float, str, Run]]] = {}
    for run in runs:
        size = run.model.parameters
        if size and checkpoint_of(run.model.name)[1] is None:
            groups.setdefault((run.method, ""), []).append((size, short_count(size), run))
    return _curves(groups)


def checkpoint_of(name: str) -> tuple[str, int | None]:
    """`demo-step-1000` -> (`demo`, 1000); a model that is no checkpoint -> (its name, None)."""
    found = _STEP.search(name)
    return (name[: found.start()], int(found[1])) if found else (name, None)


def short_count(count: int) -> str:
    """4262144 -> `4.3M`."""
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return str(count)


def _curves(groups: dict[tuple[str, str], list[tuple[float, str, Run]]]) -> list[Curve]:
    curves = []
    for (method, of), points in groups.items():
        at: dict[float, tuple[str, Run]] = {}
        for place, label, run in points:
            at.setdefault(place, (label, run))
        if len(at) > 1:
            curves.append(Curve(method, [(place, *at[place]) for place in sorted(at)], of))
    return curves
