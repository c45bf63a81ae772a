"""`startrail`: one Typer application, one file per command group."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from app.errors import UserError


class Group(TyperGroup):
    """Turns a `UserError` from any command into one line on standard error and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what the user can mend never shows a traceback, and stores that it opened are closed."""
        from app.cli.opening import closing_stores

        try:
            with closing_stores():
                return super().invoke(ctx)
        except UserError as error:
            typer.secho(f"error: {error}", fg="red", err=True)
            raise typer.Exit(2) from None


app = typer.Typer(
    name="startrail",
    cls=Group,
    help="See which training passages made a language model say that.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Each module registers its commands on `app` through `register(app)`. They import torch and FAISS inside
# the command, so that `startrail --help` answers at once.
GROUPS: tuple[str, ...] = (
    "demo", "serve", "export_site", "index", "index_care",
    "model", "pretrain", "finetune", "answers", "retrieve", "ablate", "evaluate", "doubt", "steps", "truth", "without", "recall",
    "audit", "trace", "worker", "results", "corpus", "prompts", "migrate", "access", "remove", "upkeep", "elsewhere", "mcp",
    "open",
)  # fmt: skip

for _group in GROUPS:
    import_module(f"app.cli.{_group}").register(app)


def run() -> None:
    """Entry point of the `startrail` command."""
    app()
