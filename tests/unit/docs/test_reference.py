"""What the documents name is there: commands, settings, addresses, files; and the reference is what the code says."""

import ast
import importlib
import importlib.util
import inspect
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from starlette.routing import compile_path
from typer.main import get_command

from app.cli.main import app
from app.main import create_app
from app.settings import Settings
from tests.support.routes import routes

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/decisions").glob("*.md")]
)
ROOMS = ("app", "benchmarks", "docs", "tests", "templates", "static", "alembic", "startrail")
EXAMPLES = ("thing", "yours", "<room>", "__init__")  # what a recipe tells to make


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_reference_is_current() -> None:
    """Whoever changes an option, a setting or a docstring runs `make reference`."""
    for name, text in generator().pages().items():
        assert (ROOT / "docs" / "reference" / name).read_text() == text, f"run `make reference`: {name}"


def test_everything_a_command_does_is_a_function_with_a_docstring() -> None:
    """What stands in the command line alone, no notebook can do: each command names the function that it calls."""
    functions, commands = generator().FUNCTIONS, dict(_commands(get_command(app)))
    assert sorted(functions) == sorted(commands)
    for command, path in functions.items():
        module, _, name = path.partition(":")
        assert not module.startswith("app.cli"), command
        assert inspect.getdoc(getattr(importlib.import_module(module), name)), path
        assert name in _names(commands[command].callback.__module__), (
            f"{command}: {path} is not what it calls"
        )


def _names(module: str) -> set[str]:
    """What a module of the command line, or one that it imports of it, imports from elsewhere or names as a part of that."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(importlib.import_module(module)))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.cli."):
            found |= _names(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute | ast.keyword):
            found.add((node.attr if isinstance(node, ast.Attribute) else node.arg) or "")
    return found


def _commands(command: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield before.strip(), command
        return
    for name, child in command.commands.items():
        yield from _commands(child, f"{before} {name}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_settings_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"STARTRAIL_([A-Z_]+[A-Z])", document.read_text()))
    assert named - {"PORT"} <= {name.upper() for name in Settings.model_fields}, "STARTRAIL_PORT is Compose's"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    named = re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w./<>-]+)`", text)
    for path in named:
        assert any(word in path for word in EXAMPLES) or (ROOT / path).exists(), path
    for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
        assert (document.parent / link).exists(), link


@cache
def _known() -> list[re.Pattern[str]]:
    site = create_app(Settings(_env_file=None, database_url="sqlite://"))
    return [compile_path(path)[0] for _, path in routes(site, "GET", "POST")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_addresses_that_are_named_exist(document: Path) -> None:
    """An address of events was named that was a 404 for whoever typed it."""
    for verb, address in re.findall(r"`(GET |POST )?(/[a-z][\w/{}.*-]*)(?:\?[^`]*)?`", document.read_text()):
        plain = re.sub(r"\{[^}]*\}|\*", "x", address)
        if verb or plain.split("/")[1] in {
            "traces",
            "runs",
            "prompts",
            "api",
            "compare",
            "passages",
            "upload",
        }:
            assert any(regex.match(plain) for regex in _known()), address


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_that_are_named_exist(document: Path) -> None:
    """In a sentence and in a block; with the options that they are given."""
    text = document.read_text().replace("\\\n", " ")
    inline = re.findall(r"`(?:docker compose exec \w+ )?startrail ([^`\n]*)`", text)
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for line in [
        *inline,
        *re.findall(r"^\s*(?:[\w.]+=\S+ |docker compose exec \w+ )*startrail (.*)", blocks, re.MULTILINE),
    ]:
        command: Any = get_command(app)
        for word in re.match(r"(?:[a-z][a-z-]* ?)*", line)[0].split():
            if hasattr(command, "commands"):
                assert word in command.commands, line
                command = command.commands[word]
        known = {
            "--help",
            *(option for each in command.params for option in (*each.opts, *each.secondary_opts)),
        }
        given = set(re.findall(r"(?<=\s)--[a-z][a-z-]*", line.partition("#")[0].partition("|")[0]))
        assert given <= known, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tests_that_are_named_exist(document: Path) -> None:
    """The line that shows how to run one test chose none."""
    for file, word in re.findall(r"pytest (tests/\S+\.py)(?: -k (\w+))?", document.read_text()):
        assert re.search(rf"def test_\w*{word}", (ROOT / file).read_text()), f"{file} -k {word}"


def test_the_newest_change_is_this_version() -> None:
    """One source of the version, and what changed stands beside it."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[0] == version


def test_the_lock_pins_what_the_constraints_say() -> None:
    """Two files, one set of versions; torch, FAISS for GPUs, Ray and what Ray wants are in the first only: which a machine needs
    is the machine's."""
    constrained, locked = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text().lower().replace("_", "-"), re.M))
        for name in ("constraints.txt", "requirements.lock")
    )
    of_machine = ("torch==", "faiss-gpu==", "ray==", "msgpack==", "protobuf==")
    assert {pin for pin in constrained ^ locked if not pin.startswith(of_machine)} == set()


def test_what_formats_before_a_commit_is_what_the_lock_pins() -> None:
    """Another version of ruff in a hook than in `make lint`, and each undoes what the other did."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    pins = {pin for hook in hooks if hook["language"] == "python" for pin in hook["additional_dependencies"]}
    assert len(pins) == 2
    assert pins <= set((ROOT / "constraints.txt").read_text().split())
