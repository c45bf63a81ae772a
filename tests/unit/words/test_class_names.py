"""A class name has one meaning, so that a reader who knows it from one room is not misled in another."""

import ast
from collections import defaultdict
from importlib import import_module
from pathlib import Path

APP = Path(import_module("app").__file__ or "").parent


def test_no_class_name_has_two_meanings() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(APP.parent)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
