"""A class name has one meaning, so that a reader who knows it from one room is not misled in another."""

import ast
from importlib import import_module
from pathlib import Path

APP = Path(import_module("app").__file__ or "").parent
STILL_SHARED = {}
"""Names that still stand for several things, to be renamed: none may be added, and one that is mended comes off."""


def test_no_further_class_name_gets_a_second_meaning() -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(str(path.relative_to(APP.parent)))
    shared = {name: places for name, places in found.items() if len(places) > 1}
    assert shared.keys() == STILL_SHARED, {n: shared.get(n) for n in shared.keys() ^ STILL_SHARED}
