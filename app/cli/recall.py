"""`startrail recall`: how many of the passages that EK-FAC would put first an index's own rows find."""

from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `recall`."""
    app.command(name="recall", help=recall.__doc__)(recall)


def recall(
    index: Annotated[str, typer.Argument(help="An index in HOME/indexes with EK-FAC factors.")],
    prompts: Annotated[str, typer.Argument(help="Prompt set in the store, whose targets are asked.")],
    most: Annotated[int, typer.Option(min=1, help="Prompts asked, drawn at random.")] = 20,
) -> None:
    """Compare an index's candidates with EK-FAC over all passages; answers say the outcome from then on."""
    from app.cli.opening import open_store
    from app.cli.progress import bar, console
    from app.runs.recall import measure_recall

    settings = get_settings()
    with bar("Exact influence of all passages") as step:
        found = measure_recall(settings, open_store(settings.url), index, prompts, most=most, progress=step)
    console.print(
        f"Of the first {found.first} by EK-FAC over all passages, {found.candidates} candidates hold {found.share:.1%}"
        f" ({found.low:.1%} to {found.high:.1%}; {found.questions} questions)."
    )
