"""`startrail model`: what models are here, and what TrackStar sees in one."""

import json
import re
from typing import Annotated, Any

import typer

from app.cli.computing import MODEL
from app.cli.describing import Author, Description, FromWhere, Licence, said_of
from app.settings import get_settings
from app.store.origins import Origin

models = typer.Typer(no_args_is_help=True, help="Models: what is here, and what TrackStar sees in one.")


def register(app: typer.Typer) -> None:
    """Add `model list`, `model show` and `model describe`."""
    app.add_typer(models, name="model")


@models.command("list")
def list_models() -> None:
    """List the models in HOME/models."""
    from rich.table import Table

    from app.cli.progress import console
    from app.models.listing import list_checkpoints

    home = get_settings().models
    found = list_checkpoints(home)
    if not found:
        console.print(f"No models in {home} yet. `startrail demo` or `startrail pretrain` makes one.")
        return
    table = Table("model", "architecture", "parameters", "optimizer's state")
    for each in found:
        count = f"{each.parameters:,}" if each.parameters else "?"
        kind = each.architecture or "damaged: see model show"
        table.add_row(each.name, kind, count, "yes" if each.optimizer else "no")
    console.print(table)


@models.command("show")
def show(
    model: Annotated[str, typer.Argument(help=MODEL)],
    groups: Annotated[int, typer.Option(min=1, help="Groups of layers.")] = 2,
    weights: Annotated[
        list[str] | None, typer.Option(help="PATTERN=attention, =mlp or =skip; can be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
) -> None:
    """Show which weights TrackStar takes gradients of, how they are grouped, and where V comes from."""
    from rich.table import Table

    from app.cli.index import parse_weights
    from app.cli.progress import console
    from app.models.capture import Capture
    from app.models.load import load_model
    from app.runs.taking import find_model
    from app.trackstar.seen import model_seen, weights_seen

    place = find_model(get_settings(), model)
    loaded = load_model(place.directory, override=parse_weights(weights or []))
    Capture(loaded)  # refuses what an index would
    facts, rows = model_seen(loaded), weights_seen(loaded, groups)
    if as_json:
        typer.echo(json.dumps({**facts, "weights": rows}, ensure_ascii=False))
        return
    top = Table(title=loaded.path.name, title_justify="left", show_header=False)
    for label, value in facts.items():
        top.add_row(label.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    console.print(top)
    table = Table("layers", "group", "kind", "out × in")
    table.add_column("weight", overflow="fold")
    for row in _collapsed(rows):
        table.add_row(*row)
    console.print(table)
    total = sum(row["out"] * row["in"] for row in rows)
    console.print(f"{len(rows)} weights, {total:,} of {facts['parameters']:,} parameters.")


@models.command("describe")
def describe_model(
    name: Annotated[str, typer.Argument(help="A model that a run or an index of this home names.")],
    description: Description = "",
    source: FromWhere = "",
    licence: Licence = "",
    author: Author = "",
) -> None:
    """Say of a model where it comes from, beside what its model card says. What is left out stays as it is."""
    said_of("model", name, Origin(description, source, licence, author))


def _collapsed(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One line for the same weight of all layers of a group."""
    lines: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        name = re.sub(rf"(\D){row['layer']}\.", r"\1N.", row["name"], count=1)
        shape = f"{row['out']} × {row['in']}{', transposed' if row['transposed'] else ''}"
        lines.setdefault((row["group"], name, row["kind"], shape), []).append(row["layer"])
    return [
        (f"{layers[0]}–{layers[-1]}" if layers[1:] else str(layers[0]), str(group), kind, shape, name)
        for (group, name, kind, shape), layers in lines.items()
    ]
