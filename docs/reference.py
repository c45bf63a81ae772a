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
from app.interchange import results_words
from app.main import create_app
from app.settings import Settings

OUT = Path(__file__).parent / "reference"
MADE = "<!-- Made by `make reference`; edit what it is made from. -->\n\n"


RESULTS = """One record is one prompt with what a method retrieved for it; the format is that of the paper's own viewer (PAIR).
A file is JSON Lines, a JSON array, CSV, Parquet or Arrow, compressed or not. [results-example.jsonl](results-example.jsonl) has
every field; a site offers it at `/upload/example.jsonl`, and `startrail import results-example.jsonl --run mine` takes it.

Two fields must be there, all others may be missing or null. Lists that begin with `proponent` are as long as `proponents`; the
same names with `opponent` say it of passages against. NaN, which is no JSON, is read as null
in every format; `import` says how many each field holds, and null is given back ([why](../decisions/0008-nan.md)). Numbers may
be as numpy and pandas write them.

**A field that is not listed** is kept as it is, value and place; `import` names it with the nearest known name; a filter asks
for it (`ex["my_note"] = "kept"`), the example's page shows it, and every export gives it back (JSON Lines in its place, Parquet
inside `extra`). What a listed field holds beyond its type (`1` for true) comes back as it came, too."""
HEAD = ["| field | type | meaning, unit | example |", "|---|---|---|---|"]

FUNCTIONS = {  # what a command does -> the function that does it, for scripts and notebooks; options are parsed, that is all
    "ablate": "app.runs.ablating:ablate_set",
    "answers": "app.runs.answering:answer_set",
    "backup": "app.upkeep.backup:back_up",
    "restore": "app.upkeep.backup:restore",
    "doctor": "app.upkeep.checks:all_of",
    "remove": "app.runs.taking_down:remove",
    "audit": "app.runs.auditing.audit:audit",
    "changes": "app.store.audit:recent",
    "corpus add": "app.interchange.adding:add_corpus_files",
    "corpus describe": "app.store.origins:describe",
    "corpus discard": "app.store.growing:discard_unfinished",
    "corpus list": "app.store.corpora:list_corpora",
    "demo": "app.runs.demo_world:build_demo",
    "doubt": "app.runs.seed_agreement:measure_agreement",
    "evaluate": "app.runs.evaluating:evaluate",
    "export": "app.interchange.results:write_results",
    "export-site": "app.publish.site:SiteCopy",
    "import": "app.interchange.results:import_results",
    "index": "app.runs.building:build",
    "mcp": "startrail.agents:make_server",
    "migrate": "app.store.engine:migrate",
    "model describe": "app.store.origins:describe",
    "model list": "app.models.listing:list_checkpoints",
    "model show": "app.trackstar.seen:weights_seen",
    "open": "app.interchange.results:import_results",
    "finetune": "app.runs.finetuning:finetune_on",
    "pretrain": "app.runs.pretraining:pretrain_on",
    "prompts add": "app.interchange.adding:add_prompt_files",
    "prompts list": "app.store.prompts:list_prompt_sets",
    "send": "app.runs.elsewhere:send_index",
    "fetch": "app.runs.elsewhere:fetch_index",
    "reindex": "app.runs.index_care:search_by",
    "retrieve": "app.runs.retrieving:retrieve_set",
    "runs list": "app.store.runs:list_runs",
    "runs remove": "app.store.runs:remove_run",
    "serve": "app.main:create_app",
    "steps": "app.runs.ready_steps:make_ready",
    "trace": "app.tracing.waiting:trace_now",
    "truth": "app.runs.truth.experiment:run",
    "recall": "app.runs.recall:measure_recall",
    "without": "app.tracing.without:ask_without",
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
        "results.md": results(),
    }
    written = {name: MADE + text.rstrip() + "\n" for name, text in made.items()}
    example = json.dumps(results_words.example(), ensure_ascii=False) + "\n"
    return written | {"openapi.json": openapi(), "results-example.jsonl": example}


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


def results() -> str:
    """The results format, field by field."""
    table = [
        f"| `{name}` | {kind} | {f'{meaning} Older: {older}.' if older else meaning} | {_example(name)} |"
        for name, older, kind, meaning in results_words.rows()
    ]
    return "\n".join(
        [
            "# The results format",
            "",
            RESULTS,
            "",
            "| field | type | meaning, unit | example |",
            "|---|---|---|---|",
            *table,
        ]
    )


def _example(name: str) -> str:
    value = results_words.FIELDS[name][1]
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


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
