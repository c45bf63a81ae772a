"""`startrail ablate`: what each part of the method is worth, over one prompt set."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app.cli.reading import tell_left_out
from app.cli.retrieve import DENSE_MODEL
from app.errors import UserError
from app.settings import get_settings
from app.words.method import BASELINES
from app.words.methods import encodings, method_label, rankers

Number = TypeVar("Number", int, float)
ALLOWED = {  # option -> what its values are called, what they may be, an example
    "lambdas": ("λ", "number between 0 and 1", "0.1,0.5,0.9"),
    "dimensions": ("d", "whole number above zero", "1024,4096"),
    "dampings": ("damping", "number above zero", "0.001,0.1,1"),
    "seeds": ("seed", "whole number, 0 or above", "0,1,2"),
}


def register(app: typer.Typer) -> None:
    """Add `ablate`."""
    app.command(name="ablate", help=_help())(ablate)


def _help() -> str:
    variants = ", ".join(method_label(name) for name in encodings())
    others = ", ".join(each.label for each in rankers(BASELINES))
    return f"{ablate.__doc__}\n    The variants: {variants}. The baselines: {others}."


def ablate(
    index: Annotated[str, typer.Argument(help="An index: its model, corpus and projection are used.")],
    prompts: Annotated[str, typer.Option(help="The prompt set to ask.")],
    prefix: Annotated[
        str,
        typer.Option(help="Put before the runs' names; default INDEX- (and the prompt set)."),
    ] = "",
    lambdas: Annotated[
        str,
        typer.Option(
            help="Also TrackStar with the task's Hessian at these λ, for the trade-off curve. Cheap."
        ),
    ] = "0.1,0.3,0.5,0.7,0.9,0.99",
    dampings: Annotated[
        str,
        typer.Option(
            help="Also TrackStar (λ = 0) at these dampings of R, as shares of its mean eigenvalue, such as 0.001,0.1,1. "
            "Cheap: they share the variants' encodings, and each whitens anew."
        ),
    ] = "",
    dimensions: Annotated[
        str,
        typer.Option(
            help="Also TrackStar (λ = 0) at these d, in the index's own blocks: d = 2 · groups · p², such as "
            "1024,4096,16384 with 2 groups (p = 16, 32, 64). Dear: each encodes the corpus once, and R's eigenvalues "
            "take p⁶ of time and p⁴ of memory in each block."
        ),
    ] = "",
    seeds: Annotated[
        str,
        typer.Option(
            help="Also TrackStar (λ = 0) in the projections of these seeds, such as 0,1,2: how far figures lie apart by "
            "the draw alone. Dear: each encodes the corpus once."
        ),
    ] = "",
    baselines: Annotated[
        bool,
        typer.Option(help="Also the baselines, where these prompts have no such run yet."),
    ] = True,
    k: Annotated[int, typer.Option("-k", min=1, help="Proponents kept for each prompt.")] = 10,
    dense_model: Annotated[Path | None, typer.Option(help=DENSE_MODEL)] = None,
) -> None:
    """Make a run of every variant of the method by gradients, and of the baselines and controls beside them (dense
    only where a model is named).

    The corpus is encoded once for each choice of V, loss, d and seed, not once for each variant. Runs that are there
    already are not made again, so that work that was stopped goes on. --dampings, --dimensions and --seeds each change
    one thing and leave the rest as in the index, whose own value is the run +V+R_train; /evaluation draws them.
    """
    from app.cli.progress import bar, console
    from app.cli.retrieve import show_standings
    from app.runs.ablating import ablate_set

    settings = get_settings()
    made = ablate_set(
        settings,
        None,
        index,
        prompts,
        prefix=prefix,
        lambdas=_values(lambdas, "lambdas", float, lambda value: 0 <= value <= 1),
        dimensions=_values(dimensions, "dimensions", int, lambda value: value > 0),
        dampings=_values(dampings, "dampings", float, lambda value: 0 < value < math.inf),
        seeds=_values(seeds, "seeds", int, lambda value: value >= 0),
        baselines=baselines,
        k=k,
        dense_model=dense_model,
        tell=lambda line: console.print(line, markup=False, soft_wrap=True),
        bar=bar,
    )
    tell_left_out(made.left_out, None)
    show_standings(made.standings)


def _values(
    given: str, field: str, read: Callable[[str], Number], may: Callable[[Number], bool]
) -> list[Number]:
    """The values of `0,0.1,0.5`, each once; none for an empty text.

    Raises:
        UserError: one is no number of its kind, or may not be.
    """
    what, kind, example = ALLOWED[field]
    values: list[Number] = []
    for part in filter(None, (part.strip() for part in given.split(","))):
        try:
            value = read(part)
        except ValueError:
            value = None
        if value is None or not may(value):
            raise UserError(
                f"{what} = {part} is no {kind}.",
                field=field,
                remedy=f"Give values separated by commas, such as {example}.",
            )
        values.append(value)
    return list(dict.fromkeys(values))
