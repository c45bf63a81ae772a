"""`startrail`: one Typer application, one file per command group."""

import sys
from importlib import import_module

import typer
from rich.console import Console

from app.errors import UserError

app = typer.Typer(
    name="startrail",
    help="See which training passages made a language model say that.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Each module registers its commands on `app` through `register(app)`. They import torch and FAISS inside
# the command, so that `startrail --help` answers at once.
GROUPS = ()

for _group in GROUPS:
    import_module(f"app.cli.{_group}").register(app)


def run() -> None:
    """Entry point: a `UserError` becomes one red line on standard error and exit code 2."""
    try:
        app()
    except UserError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]error:[/] {_plain(error)}")
        sys.exit(2)


def _plain(error: UserError) -> str:
    return str(error).replace("[", r"\[")
