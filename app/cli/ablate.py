"""`startrail ablate`: what each part of the method is worth, over one prompt set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.reading import tell_left_out
from app.cli.retrieve import DENSE_MODEL
from app.errors import UserError
from app.settings import get_settings
from app.words.methods import encodings, method_label, rankers

if TYPE_CHECKING:
    pass

BASELINES = rankers(("words", "meaning", "control"))


def register(app: typer.Typer) -> None:
    """Add `ablate`."""
    app.command(name="ablate", help=_help())(ablate)


def _help() -> str:
    variants = ", ".join(method_label(name) for name in encodings())
    others = ", ".join(each.label for each in BASELINES)
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
    from sqlalchemy import select

    from app.cli.progress import bar
    from app.cli.retrieve import report
    from app.runs.ablate import ablate as make_runs
    from app.runs.ablate import already_made, families_of, mixing_variants, paper_variants, run_slug
    from app.runs.inputs import ensure_answers, open_inputs
    from app.runs.ranking.request import check_method
    from app.runs.retrieve import retrieve
    from app.store.engine import open_store
    from app.store.tables import Run

    settings = get_settings()
    values = _lambdas(lambdas)
    dense_model = dense_model or settings.dense_model
    wanted = [each.name for each in BASELINES if dense_model or "dense model" not in each.needs]
    for name in wanted if baselines else ():
        check_method(name, dense_model)
    prefix = prefix or (f"{index}-" if index == prompts else f"{index}-{prompts}-")
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        inputs = open_inputs(session, settings, index, prompts)
        tell_left_out(list(inputs.left_out.items()), None)
        with bar("Answering prompts") as step:
            ensure_answers(session, inputs, step)
        base = inputs.index.manifest.method
        variants = paper_variants(base) | mixing_variants(base, values)
        missing = {
            name: method
            for name, method in variants.items()
            if not already_made(session, inputs, name, run_slug(prefix, name))
        }
        absent = [name for name in wanted if baselines and not already_made(session, inputs, name)]
    made = []
    for name in absent:
        with store.session() as session, bar(f"Retrieving by {name}") as step:
            taken = session.scalar(select(Run.id).where(Run.slug == name)) is not None
            slug = run_slug(prefix, name) if taken else name
            made.append(
                retrieve(session, inputs, name, slug=slug, k=k, dense_model=dense_model, progress=step)
            )
    for family in families_of(missing):
        with store.session() as session, bar(f"Passages for {', '.join(family)}"[:34]) as step:
            made += make_runs(session, inputs, family, prefix=prefix, k=k, progress=step)
    with store.session() as session:
        report(session, made)


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
