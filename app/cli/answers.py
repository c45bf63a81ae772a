"""`startrail answers`: what a model answers to a prompt set, and how often that is right."""

from typing import Annotated

import typer

from app.cli.reading import tell_left_out
from app.cli.retrieve import ChooseBy
from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `answers`."""
    app.command(name="answers", help=answers.__doc__)(answers)


def answers(
    index: Annotated[str, typer.Argument(help="An index in HOME/indexes; it names its model.")],
    prompts: Annotated[str, typer.Option(help="The prompt set to ask.")],
    choose_by: ChooseBy = "",
) -> None:
    """Ask the model every prompt of a set, unless it was asked before, and say how often it is right.

    Of prompts with choices the probability of each is saved; which it takes by either rule is told without asking
    again, and `--choose-by` says which of the two counts.
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar, console, listing
    from app.runs.answering import answer_set
    from app.words.choices import RULES

    settings = get_settings()
    store = open_store(settings.url, migrate=True)
    made = answer_set(settings, store, index, prompts, choose_by=choose_by, bar=bar)
    tell_left_out(made.left_out, None)
    rows = [
        (
            f"chosen by {RULES[each.rule]}{', which counts' if each.counts else ''}"
            if each.rule
            else "as it counts",
            "–" if each.right is None else f"{each.right:.3f}",
            f"{each.judged:,}",
        )
        for each in made.shares
    ]
    console.print(listing("answers", "right", "of", rows=rows))
