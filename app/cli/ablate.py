"""`startrail ablate`: what each part of the method is worth, over one prompt set."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.reading import tell_left_out
from app.cli.retrieve import DENSE_MODEL
from app.errors import UserError
from app.settings import get_settings
from app.words.method import BASELINES
from app.words.methods import encodings, method_label, rankers


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
        typer.Option(help="Also TrackStar with the task's Hessian at these λ, for the trade-off curve."),
    ] = "0.1,0.3,0.5,0.7,0.9,0.99",
    baselines: Annotated[
        bool,
        typer.Option(help="Also the baselines, where these prompts have no such run yet."),
    ] = True,
    k: Annotated[int, typer.Option("-k", min=1, help="Proponents kept for each prompt.")] = 10,
    dense_model: Annotated[Path | None, typer.Option(help=DENSE_MODEL)] = None,
) -> None:
    """Make a run of every variant of the method by gradients, and of the baselines and controls beside them (dense
    only where a model is named).

    The corpus is encoded once for each choice of V and loss, not once for each variant. Runs that are there already
    are not made again, so that work that was stopped goes on.
    """
    from app.cli.progress import bar
    from app.cli.retrieve import show_standings
    from app.runs.ablating import ablate_set

    settings, values = get_settings(), _lambdas(lambdas)
    made = ablate_set(
        settings,
        None,
        index,
        prompts,
        prefix=prefix,
        lambdas=values,
        baselines=baselines,
        k=k,
        dense_model=dense_model,
        bar=bar,
    )
    tell_left_out(made.left_out, None)
    show_standings(made.standings)


def _lambdas(given: str) -> list[float]:
    """The values of `0,0.1,0.5`; none for an empty text.

    Raises:
        UserError: one is no number between 0 and 1.
    """
    values = []
    for part in filter(None, (part.strip() for part in given.split(","))):
        try:
            value = float(part)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise UserError(
                f"λ = {part} is no number between 0 and 1.",
                field="lambdas",
                remedy="Give values separated by commas, such as 0.1,0.5,0.9.",
            )
        values.append(value)
    return values
