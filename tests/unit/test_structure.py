"""The house in order: one meaning a class name, no long file, and every room bound by the contract of who may look into whom."""

import ast
import re
import tomllib
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import pytest

APP = Path(import_module("app").__file__ or "").parent
ROOT = Path(__file__).parents[2]
LONGEST = 300  # lines: what is longer holds two thoughts


@pytest.mark.slow
def test_no_class_name_has_two_meanings() -> None:
    """A reader who knows a name from one room is not misled in another."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(APP.parent)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_no_file_is_long() -> None:
    files = [path for room in ("app", "startrail", "tests") for path in (ROOT / room).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def test_every_room_is_bound_by_the_layers() -> None:
    """A room that no layer names may import anything, and be imported from anywhere, unnoticed."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    bound = {name for layer in layers for name in re.split(r"\s*[|:]\s*", layer)}
    rooms = {
        f"app.{path.stem}"
        for path in APP.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"app.__init__"} == {name for name in bound if name.startswith("app.")}


def test_the_map_of_the_house_names_every_room() -> None:
    """`app/publish/` was missing for weeks: whoever came new had no word for what it is."""
    map_ = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [f"app/{each.name}/" for each in APP.iterdir() if (each / "__init__.py").is_file()]
    rooms += [f"{each.name}/" for each in (APP / "web").iterdir() if (each / "__init__.py").is_file()]
    assert [room for room in rooms if room not in map_] == []


def test_whatever_types_do_not_say_has_a_reason() -> None:
    """`# type: ignore[kind]  # why`: without it nobody knows when it can go."""
    rooms = ("app", "startrail", "tests", "benchmarks", "docs", "alembic")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    silent = re.compile(r"# type: ignore(\[[^\]]*\])?(?!  # [\w`])(?!\[)")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if silent.search(line)
    ]
    assert found == []
