"""`startrail model`: what models are here, and what TrackStar sees in one."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.describing import Author, Description, FromWhere, Licence, said_of
from app.errors import UserError
from app.settings import get_settings
from app.store.origins import Origin

if TYPE_CHECKING:
    from app.models.load import LoadedModel

models = typer.Typer(no_args_is_help=True, help="Models: what is here, and what TrackStar sees in one.")


def register(app: typer.Typer) -> None:
    """Add `model list`, `model show` and `model describe`."""
    app.add_typer(models, name="model")


@models.command("list")
def list_models() -> None:
    """List the models in HOME/models."""
    from rich.table import Table
    from safetensors import SafetensorError

    from app.cli.progress import console
    from app.models.load import count_parameters
    from app.models.optimizer_state import has_optimizer

    home = get_settings().models
    found = sorted(path.parent for path in home.glob("*/config.json"))
    if not found:
        console.print(f"No models in {home} yet. `startrail demo` or `startrail pretrain` makes one.")
        return
    table = Table("model", "architecture", "parameters", "optimizer's state")
    for path in found:
        try:
            kind = (json.loads((path / "config.json").read_bytes()).get("architectures") or ["?"])[0]
            count = count_parameters(path)
        except (ValueError, AttributeError, OSError, SafetensorError):
            kind, count = "damaged: see model show", None
        table.add_row(path.name, kind, f"{count:,}" if count else "?", "yes" if has_optimizer(path) else "no")
    console.print(table)


@models.command("show")
def show(
    model: Annotated[str, typer.Argument(help="A model's name in HOME/models, or a checkpoint directory.")],
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
    from app.models.load import load_model

    known = get_settings().models / model
    loaded = load_model(known if known.is_dir() else Path(model), override=parse_weights(weights or []))
    facts, rows = _facts(loaded), _rows(loaded, groups)
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


def _facts(loaded: "LoadedModel") -> dict[str, Any]:
    return {
        "architecture": type(loaded.model).__name__,
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        "layers": loaded.layers,
        "context": loaded.context,
        "around_a_passage": " … ".join(
            _tokens(loaded, ids) for ids in (loaded.marks.start, loaded.marks.end)
        ),
        "second_moments": _moments(loaded),
        "sha256": loaded.sha256,
    }


def _tokens(loaded: "LoadedModel", ids: tuple[int, ...]) -> str:
    return " ".join(loaded.tokenizer.convert_ids_to_tokens(list(ids))) or "nothing"


def _moments(loaded: "LoadedModel") -> str:
    from app.models.optimizer_state import has_optimizer, read_optimizer
    from app.trackstar.moments import load_moments

    if not has_optimizer(loaded.path):
        return "no optimizer's state: estimated from the corpus when an index is built"
    try:
        moments = load_moments(loaded, "factored")
    except UserError as error:
        return f"unusable: {error}"
    state = read_optimizer(loaded.path, loaded.model)
    rates = {settings.get("lr") for settings in state.settings.values()}
    rate = ", ".join(f"{rate:g}" for rate in rates if rate is not None) or "unknown"
    return f"{moments.source if moments else 'none'}; {state.step:,} steps, learning rate {rate} at the end"


def _rows(loaded: "LoadedModel", groups: int) -> list[dict[str, Any]]:
    from app.models.weights import group_of

    if groups > loaded.layers:
        raise UserError(
            f"{loaded.layers} layers cannot be cut into {groups} groups.",
            field="groups",
            remedy="Choose fewer.",
        )
    return [
        {
            "name": weight.name,
            "layer": weight.layer,
            "kind": weight.kind,
            "group": group_of(weight, loaded.layers, groups),
            "out": weight.out_features,
            "in": weight.in_features,
            "transposed": weight.transposed,
        }
        for weight in loaded.weights
    ]


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
