"""The one registry of methods: every way of ranking passages, with all that is said of it anywhere.

A new method is its own file and one entry here. The command line, pages, charts, colours and orders follow, and
`startrail retrieve --method NAME` finds by `ranks` what ranks the passages (`app.runs.ranking` says how that is
called). This module knows names and words only; nothing is imported until a method is asked to rank.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from zlib import crc32

from app.words.method import KINDS, Kind, Method

# Code that means one method in particular: the method of this site, and the one it is held against.
TRACKSTAR, BM25, RANDOM, WHITENED = "trackstar", "bm25", "random", "+V+R_train"
TWO_STAGES, EKFAC, DOT, COSINE = "trackstar+ekfac", "ekfac", "gradient-dot", "gradient-cosine"
HELD_TO_TRUTH = (BM25, DOT, COSINE, WHITENED, TRACKSTAR, TWO_STAGES, EKFAC, RANDOM)  # by leaving out

_VARIANT = "app.runs.ranking.variants:rank"
_METHODS = (  # as in the paper's table: baselines, the method part by part, controls
    Method(
        BM25,
        "BM25",
        "words",
        "Ranks passages by the words they share with prompt and answer, rare words counting more.",
        ("#1a5fa8", "#7db5f0"),
        ranks="app.runs.ranking.bm25:rank",
        lead=2,
    ),
    Method(
        "dense",
        "Dense",
        "meaning",
        "Ranks passages by how near their sentence embedding is to that of prompt and answer.",
        ("#0b6a70", "#4fc3c9"),
        needs=("dense model",),
        ranks="app.runs.ranking.dense:rank",
        lead=4,
    ),
    Method(
        "verbatim",
        "Rarest stretch",
        "words",
        "Ranks passages by the rarest stretch of prompt and answer, two words or more, that stands in them word for word.",
        ("#2f6d2a", "#86cf7f"),
        ranks="app.runs.ranking.verbatim:rank",
    ),
    Method(
        "olmotrace",
        "OLMoTrace",
        "words",
        "Documents in which a span of the answer stands word for word, found by infini-gram; in their own order, without scores.",
        ("#7d4a00", "#e0b070"),
    ),
    Method(
        "infini-gram",
        "infini-gram",
        "words",
        "Documents in which the text that was looked up stands word for word; in infini-gram’s own order, without scores.",
        ("#5a5d10", "#c9cc62"),
    ),
    Method(
        "gradient-dot",
        "Gradient dot",
        "gradient",
        "The dot product of the two projected gradients, without any correction.",
        ("#8a2f86", "#dd9ada"),
        needs=("model",),
        ranks=_VARIANT,
        encoding={"second_moments": "none", "hessian": "none", "unit_norm": False},
        spellings=("grad_dot",),
        lead=6,
    ),
    Method(
        "gradient-cosine",
        "Gradient cosine",
        "gradient",
        "The cosine between the two projected gradients: a long passage does not win by its length.",
        ("#a8343d", "#ec8a91"),
        needs=("model",),
        ranks=_VARIANT,
        encoding={"second_moments": "none", "hessian": "none"},
        spellings=("grad_cosine",),
        lead=5,
    ),
    Method(
        "+V",
        "+V",
        "gradient",
        "The cosine of gradients that are divided by the square root of the optimizer’s second moments V.",
        ("#6a4fb3", "#b7a3f0"),
        needs=("model", "optimizer state"),
        ranks=_VARIANT,
        encoding={"hessian": "none"},
    ),
    Method(
        "+R_train",
        "+R_train",
        "gradient",
        "The cosine of gradients that are whitened by their autocorrelation R over the corpus.",
        ("#566410", "#b5c75a"),
        needs=("model",),
        ranks=_VARIANT,
        encoding={"second_moments": "none"},
    ),
    Method(
        "+V+R_train",
        "+V+R_train",
        "gradient",
        "The cosine of gradients with both corrections, the optimizer’s and the corpus’s.",
        ("#1a6f45", "#58c48d"),
        needs=("model", "optimizer state"),
        ranks=_VARIANT,
        encoding={},
        lead=7,
    ),
    Method(
        TRACKSTAR,
        "TrackStar",
        "gradient",
        "The cosine of gradients corrected by the optimizer and whitened by corpus and task: how the step taken on"
        " the passage aligns with the step towards this very output.",
        ("#8f5300", "#f0b35a"),
        needs=("model", "optimizer state", "task"),
        ranks="app.runs.ranking.index:rank",
        encoding={"hessian": "mixed"},
        lead=1,
    ),
    Method(
        "trackstar+ekfac",
        "TrackStar + EK-FAC",
        "gradient",
        "TrackStar finds a hundred passages; their exact influence under EK-FAC’s curvature, without any projection,"
        " decides their order.",
        ("#5a3d00", "#ffd9a0"),
        needs=("model", "optimizer state", "task"),
        ranks="app.runs.ranking.ekfac:rank",
        lead=3,
    ),
    Method(
        "ekfac",
        "EK-FAC over all",
        "gradient",
        "Every passage’s exact influence under EK-FAC.",
        ("#4a4a8f", "#b0b0f5"),
        ("model",),
    ),
    Method(
        "trak",
        "TRAK-style",
        "gradient",
        "The dot product of whitened gradients of the margin log p / (1 − p), as in TRAK (Park et al. 2023).",
        ("#7a4a3a", "#d0a08c"),
        needs=("model",),
        ranks=_VARIANT,
        encoding={"second_moments": "none", "unit_norm": False, "loss": "margin"},
    ),
    Method(
        "random",
        "Random passages",
        "control",
        "Passages drawn at random: what a figure is worth when nothing was looked for.",
        ("#4d5563", "#aab2bf"),
        ranks="app.runs.ranking.controls:at_random",
        lead=8,
    ),
    Method(
        "ground-truth",
        "Passages that state the fact",
        "control",
        "The passages that are known to state the prompt’s fact, in the corpus’s order.",
        ("#2b2f36", "#d9d7d0"),
        ranks="app.runs.ranking.controls:stated",
        lead=9,
    ),
    Method(
        "gecko",
        "Gecko",
        "imported",
        "The paper’s dense baseline: nearness of Gecko’s text embeddings.",
        ("#356a00", "#9ccf5f"),
    ),
    *(
        Method(
            f"exp{number}",
            f"Experiment {number}",
            "imported",
            f"What the paper’s results files call experiment {number}.",
            colour,
        )
        for number, colour in enumerate(
            zip(
                ("#9c2f5b", "#2f4fb5", "#7a5c00", "#27636b", "#6b3fa0"),
                ("#f08db4", "#9db2f5", "#d9bd5a", "#86c5cd", "#cba6f2"),
                strict=True,
            ),
            1,
        )
    ),
)
METHODS: dict[str, Method] = {method.name: method for method in _METHODS}
IMPORTED = "imported"  # the method of a results file that does not say which it is of
OTHER_COLOURS = tuple(method.colour for method in _METHODS if method.kind == "imported")  # of strangers
SWITCHES = {"": "λ", "d": "d", "damping": "damping", "seed": "seed"}
"""What curves go over: what stands in the name of a point before its value -> what its label says."""
_SWEPT = re.compile(
    rf"({'|'.join(map(re.escape, METHODS))})-(?:({'|'.join(filter(None, SWITCHES))})-)?(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
)


def point_name(method: str, switch: str, value: float) -> str:
    """The method of a run that is a point of a curve over a switch: `trackstar-0.5` of λ, `trackstar-d-4096`."""
    said = str(value) if isinstance(value, int) else f"{value:g}"
    return "-".join(filter(None, (method, switch, said)))


def method_of(name: str) -> Method:
    """The entry of a run's method.

    A point of a curve (`point_name`) has its method's entry with the value in the label. A method that only files
    speak of has an entry of kind `imported` and keeps one colour, which its name chooses.
    """
    if name in METHODS:
        return METHODS[name]
    if found := _SWEPT.fullmatch(name):
        base, value = METHODS[found[1]], found[3]
        said = f"{int(value):,}" if value.isdecimal() else value
        return replace(base, label=f"{base.label}, {SWITCHES[found[2] or '']} = {said}")
    at = crc32(name.encode("utf-8", "replace")) % len(OTHER_COLOURS)
    return replace(
        METHODS["gecko"],
        name=name,
        label=name.capitalize() if name == IMPORTED else name,
        sentence="Its results came in a file, which does not say how it ranks.",
        colour=OTHER_COLOURS[at],
        stranger=at,
    )


def method_label(name: str) -> str:
    """What people read for the method of a run."""
    return method_of(name).label


def point_of(name: str) -> tuple[str, float] | None:
    """The switch (a key of `SWITCHES`) of the curve that runs of this method are points of, and the value; None for a
    method of its own."""
    found = None if name in METHODS else _SWEPT.fullmatch(name)
    return (found[2] or "", float(found[3])) if found else None


def is_swept(name: str) -> bool:
    """Whether runs of this method are points of a curve rather than of a method of its own."""
    return point_of(name) is not None


def place_of(name: str) -> int:
    """Where tables put the method: in the registry's order, strangers behind it."""
    known = method_of(name).name
    return list(METHODS).index(known) if known in METHODS else len(METHODS)


def leading() -> list[str]:
    """All methods, those first that lists and charts with little room begin with."""
    return sorted(METHODS, key=lambda name: METHODS[name].lead)


def rankers(kinds: Iterable[Kind] = tuple(KINDS)) -> list[Method]:
    """The methods that can rank here, of these kinds, in the registry's order."""
    return [method for method in _METHODS if method.ranks and method.kind in kinds]


def encodings() -> dict[str, Mapping[str, Any]]:
    """The methods by gradients: name -> switches of `app.trackstar.config` that are not as usual."""
    return {method.name: method.encoding for method in _METHODS if method.encoding is not None}
