"""Recipes that cannot be run here: each command at least is one, with options that there are."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from app.cli.main import app

PAGE = Path(__file__).parents[3] / "docs" / "real-models.md"
COMMANDS = [
    line[line.index("startrail ") :]
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
    if "startrail " in line
]


def parse(command: str) -> None:
    """Reads the words of a command as the command line does, and runs nothing."""
    found: Any = get_command(app)
    name, *words = shlex.split(command)
    context = found.make_context(name, words)
    while hasattr(found, "resolve_command"):
        _, found, words = found.resolve_command(context, [*context._protected_args, *context.args])
        context = found.make_context(found.name, words, parent=context)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_recipe_is_a_command(command: str) -> None:
    parse(command)


@pytest.mark.parametrize("command", ["startrail index a b --no-such-option", "startrail indx a b"])
def test_what_is_none_is_seen(command: str) -> None:
    with pytest.raises(Exception, match="No such"):
        parse(command)
