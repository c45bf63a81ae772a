"""Makes docs/reference/ from what the code says of itself: `--help`, settings, addresses, docstrings.

`python docs/reference.py` writes it; a test compares it with what is there.
"""

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined
from typer.main import get_command

import startrail
from app.cli.main import app
from app.main import create_app
from app.settings import Settings

OUT = Path(__file__).parent / "reference"
MADE = "<!-- Made by `make reference`; edit what it is made from. -->\n\n"


FUNCTIONS = {  # what a command does -> the function that does it, for scripts and notebooks; options are parsed, that is all
    "ablate": "app.runs.ablating:ablate_set",
    "answers": "app.runs.answering:answer_set",
    "backup": "app.upkeep.backup:back_up",
    "restore": "app.upkeep.backup:restore",
    "doctor": "app.upkeep.checks:all_of",
    "remove": "app.runs.taking_down:remove",
    "audit": "app.store.audit:recent",
    "corpus add": "app.interchange.adding:add_corpus_files",
    "corpus describe": "app.store.origins:describe",
    "corpus list": "app.store.corpora:list_corpora",
    "demo": "app.runs.demo_world:build_demo",
    "doubt": "app.runs.seed_agreement:measure_agreement",
    "evaluate": "app.runs.evaluating:evaluate",
    "export": "app.interchange.results:export_results",
    "export-site": "app.publish.site:SiteCopy",
    "import": "app.interchange.results:import_results",
    "index": "app.runs.building:build",
    "migrate": "app.store.engine:migrate",
    "model describe": "app.store.origins:describe",
    "model list": "app.models.listing:list_checkpoints",
    "model show": "app.trackstar.seen:weights_seen",
    "pretrain": "app.demo.pretrain:pretrain",
    "prompts add": "app.interchange.adding:add_prompt_files",
    "prompts list": "app.store.prompts:list_prompt_sets",
    "reindex": "app.runs.index_care:search_by",
    "retrieve": "app.runs.retrieving:retrieve_set",
    "runs list": "app.store.runs:list_runs",
    "runs remove": "app.store.runs:remove_run",
    "serve": "app.main:create_app",
    "steps": "app.runs.ready_steps:make_ready",
    "trace": "app.tracing.asking:ask",
    "worker": "app.tracing.worker:Worker",
    "show": "app.store.showing:show",
    "tokens add": "app.store.tokens:add",
    "tokens list": "app.store.tokens:all_of",
    "tokens revoke": "app.store.tokens:revoke",
}


def pages() -> dict[str, str]:
    """File name -> its text."""
    made = {
        "commands.md": commands(),
        "settings.md": settings(),
        "addresses.md": addresses(),
        "python.md": python(),
    }
    written = {name: MADE + text.rstrip() + "\n" for name, text in made.items()}
    return written | {"openapi.json": openapi()}


def commands() -> str:
    """Every command with its arguments and options."""
    return "# Commands\n\n" + "\n\n".join(_commands(get_command(app), "startrail"))


def _commands(command: Any, name: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for child in sorted(command.commands):
            yield from _commands(command.commands[child], f"{name} {child}")
        return
    rows = [row for parameter in command.params if (row := _parameter(parameter))]
    table = "\n".join(["| | |", "|---|---|", *rows])
    does = FUNCTIONS[name.removeprefix("startrail ")].replace(":", ".")
    yield f"## `{name}`\n\n{inspect.cleandoc(command.help or '')}\n\nIn Python: `{does}`.\n\n{table}"


def _parameter(parameter: Any) -> str:
    if parameter.name == "help":
        return ""
    spelled = ", ".join([*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        spelled = parameter.name.upper()
    text = " ".join((getattr(parameter, "help", "") or "").split()).replace("|", "\\|")
    return f"| `{spelled}` | {text} |"


def settings() -> str:
    """Every setting with its default."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None, PydanticUndefined, ()) else _default(field.default)
        shown = f"`{default}`" if default else "empty"
        rows.append(f"| `STARTRAIL_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(["# Settings", "", "| variable | default | meaning |", "|---|---|---|", *rows])


def _default(value: Any) -> str:
    """As it is written in the environment."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def openapi() -> str:
    """The OpenAPI document of the API."""
    return json.dumps(_document(), indent=1, ensure_ascii=False) + "\n"


def _document() -> dict[str, Any]:
    return create_app(Settings(_env_file=None, database_url="sqlite://")).openapi()  # type: ignore[call-arg]  # pydantic-settings takes it, its stub does not say so


def addresses() -> str:
    """Every address of the API, as OpenAPI tells them; `/docs` of a site shows their fields."""
    paths = _document()["paths"]
    intro = (
        "What stands below `/api/v1` keeps its addresses and fields ([the promise](../api.md)). Without `/api/v1` the same"
        " address is the page for people, with `.json` behind it the page's data. [openapi.json](openapi.json) has every field."
    )
    rows = [
        f"| `{verb.upper()} {path}` | {_first(operation.get('description', ''))} |"
        for path, verbs in sorted(paths.items())
        for verb, operation in verbs.items()
    ]
    return "\n".join(
        [
            "# Addresses",
            "",
            intro,
            "",
            "| | |",
            "|---|---|",
            *rows,
        ]
    )


def _first(description: str) -> str:
    """Its first sentence, on one line."""
    return " ".join(description.split("\n\n")[0].split()).replace("|", "\\|")


def python() -> str:
    """What `import startrail` offers."""
    parts = [f"# Python\n\n{inspect.getdoc(startrail)}"]
    for name in startrail.__all__:
        thing = getattr(startrail, name)
        parts.append(f"## `{name}`\n\n```\n{inspect.getdoc(thing)}\n```")
        for method, function in inspect.getmembers(thing, inspect.isfunction):
            if not method.startswith("_") and function.__module__.startswith("startrail"):
                parts.append(
                    f"### `{name}.{method}{_signature(function)}`\n\n```\n{inspect.getdoc(function)}\n```"
                )
    return "\n\n".join(parts)


def _signature(function: Any) -> str:
    names = list(inspect.signature(function).parameters.values())[1:]
    return f"({', '.join(str(each.replace(annotation=each.empty)) for each in names)})"


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name, text in pages().items():
        (OUT / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{OUT}: {len(pages())} pages\n")
