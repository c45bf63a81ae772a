"""The registry of methods: everything that is said of a method anywhere stands there once."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from app.paths import TEMPLATES
from app.trackstar.config import EncodingConfig
from app.web.site.colours import stylesheet
from app.words.file_names import method_in
from app.words.methods import (
    METHODS,
    TRACKSTAR,
    encodings,
    is_swept,
    leading,
    method_label,
    method_of,
    place_of,
    point_name,
    point_of,
    rankers,
)

APP = Path(import_module("app").__file__ or "").parent
REGISTRY = APP / "words" / "methods.py"
PAPER, CARD = ("#fbfaf7", "#14161a"), ("#ffffff", "#1b1e24")  # of app.css, light and dark
LABELS = {method.label for method in METHODS.values()}


def test_every_method_that_ranks_names_a_function_and_settings_that_there_are() -> None:
    for method in rankers():
        module, function = method.ranks.split(":")
        assert callable(getattr(import_module(module), function)), method.name
    for name in encodings():
        assert EncodingConfig.preset(name).as_dict() is not None
    gradients = {name for name, method in METHODS.items() if method.kind == "gradient"}
    assert gradients - set(encodings()) == {"trackstar+ekfac", "ekfac"}, "whose order no encoding decides"


def test_colours_are_legible_as_text_and_each_is_one_methods_own() -> None:
    """Names are written in them, so WCAG's 4.5:1 holds on paper and on cards, in light and in dark."""
    for method in METHODS.values():
        for colour, *grounds in zip(method.colour, PAPER, CARD, strict=True):
            for ground in grounds:
                assert contrast(colour, ground) >= 4.5, (method.name, colour, ground)
    assert len({method.colour for method in METHODS.values()}) == len(METHODS)
    assert len({method.css for method in METHODS.values()}) == len(METHODS)
    assert all(f".{method.css}{{" in stylesheet() for method in METHODS.values())


def test_a_method_that_only_files_speak_of_keeps_one_colour_that_the_stylesheet_has() -> None:
    names = ("source-aware influence", "Ωmega", "trackstar2", "", "x" * 80, "half \ud800")
    for name in names:
        found = method_of(name)
        assert (found.label, found.kind, found.ranks) == (name, "imported", "")
        assert found == method_of(name)
        assert f".{found.css}{{" in stylesheet()
    assert len({method_of(f"lab-{n}").css for n in range(40)}) > 3, "strangers differ among each other"


def test_a_point_of_a_curve_is_its_method_with_its_mixing() -> None:
    assert method_label("trackstar-0.9") == "TrackStar, λ = 0.9"
    assert method_of("trackstar-0.9").css == METHODS[TRACKSTAR].css
    assert is_swept("trackstar-1e-05")
    assert method_label("trackstar-d-4096") == "TrackStar, d = 4,096"
    assert method_label(point_name(TRACKSTAR, "damping", 0.1)) == "TrackStar, damping = 0.1"
    assert point_of("trackstar-0.9") == ("", 0.9)
    assert point_of("trackstar-seed-1") == ("seed", 1)
    assert not any(map(point_of, (TRACKSTAR, "trackstar-x-1", "trackstar-1.2.3")))
    assert not any(map(is_swept, (*METHODS, "trackstar-mine", "exp1-0.5x", "random-walk")))


def test_tables_have_the_papers_order_and_lists_begin_with_the_method_of_this_site() -> None:
    names = sorted(("mine", "random", TRACKSTAR, "trackstar-0.5", "bm25", "+V"), key=place_of)
    assert names == ["bm25", "+V", TRACKSTAR, "trackstar-0.5", "random", "mine"]
    assert leading()[:2] == [TRACKSTAR, "bm25"]
    assert sorted(leading()) == sorted(METHODS)


@pytest.mark.parametrize(
    ("file", "method"),
    [
        ("c4_trex_retrievals_trackstar.jsonl", TRACKSTAR), ("Grad-Cosine.jsonl.gz", "gradient-cosine"),
        ("gradient_dot_8b.jsonl", "gradient-dot"), ("trak_vs_random.jsonl", "random"),
        ("our ground-truth.jsonl", "ground-truth"), ("walks.jsonl", "imported"),
    ],
)  # fmt: skip
def test_a_file_is_of_the_method_with_the_longest_word_in_its_name(file: str, method: str) -> None:
    assert method_in(file) == method


@pytest.mark.slow
def test_no_table_of_methods_stands_outside_the_registry() -> None:
    """A label, two names in one collection, or a list of names in a help text would be a second registry: nine such
    tables disagreed. Code that means one method takes its name from the registry."""
    found = [
        f"{path.relative_to(APP.parent)}:{line}: {what}"
        for path in sorted(APP.rglob("*.py"))
        if path != REGISTRY
        for line, what in tables_in(path.read_text())
    ]
    for path in sorted(TEMPLATES.rglob("*.html")):
        found += [f"templates/{path.name}: {label}" for label in LABELS if has_word(path.read_text(), label)]
    assert not found, "\n".join(found)


def test_the_search_for_tables_finds_those_there_were() -> None:
    """As they stood before there was a registry."""
    once = (
        'METHODS = {"trackstar": "TrackStar"}',
        'BASELINES = ("bm25", "random", "ground-truth")',
        'help="trackstar (the index\'s own method), bm25, dense, random or ground-truth."',
        'ORDER = ["bm25", "dense"]',
        'def ablate():\n    """Every variant: Gradient dot, +V and +R_train."""',
    )
    assert all(list(tables_in(source)) for source in once)
    assert not list(tables_in('"""TrackStar beside BM25."""\nrank("trackstar")'))


def tables_in(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of whatever lists methods or labels one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict | ast.Tuple | ast.List | ast.Set):
            parts = [*node.keys, *node.values] if isinstance(node, ast.Dict) else node.elts
            names = {p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)}
            if len(names & METHODS.keys()) > 1:
                yield node.lineno, ", ".join(sorted(names & METHODS.keys()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            told = [name for name in (*METHODS, *LABELS - METHODS.keys()) if has_word(node.value, name)]
            if node.value in LABELS - METHODS.keys() or len({name.lower() for name in told}) > 2:
                yield node.lineno, node.value[:80]


def has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w+-]){re.escape(word)}(?![\w+-])", text) is not None


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two colours such as `#14161a`."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
