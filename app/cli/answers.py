"""`startrail answers`: what a model answers to a prompt set, and how often that is right."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.reading import tell_left_out
from app.cli.retrieve import ChooseBy
from app.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.runs.inputs import RunInputs


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
    from app.cli.progress import bar
    from app.runs.inputs import ensure_answers, open_inputs
    from app.store.engine import open_store

    settings = get_settings()
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        inputs = open_inputs(session, settings, index, prompts)
        tell_left_out(list(inputs.left_out.items()), None)
        with bar("Answering prompts") as step:
            ensure_answers(session, inputs, step, by=choose_by)
        _report(session, inputs)


def _report(session: "Session", inputs: "RunInputs") -> None:
    from app.cli.progress import console, listing
    from app.runs.inputs import answered
    from app.words.choices import RULES, read_weighed

    outputs = answered(session, inputs)
    judged = [output.correct for output in outputs.values() if output.correct is not None]
    rows = [("as it counts", *_share(judged))]
    weighed = {id_: known for id_, output in outputs.items() if (known := read_weighed(output.weighed))}
    labels = {prompt.id: prompt.label for prompt in inputs.prompts if prompt.label is not None}
    for by, label in RULES.items() if weighed else ():
        right = [known.order(by)[0] == labels[id_] for id_, known in weighed.items() if id_ in labels]
        counts = sum(known.by == by for known in weighed.values()) == len(weighed)
        rows.append((f"chosen by {label}{', which counts' if counts else ''}", *_share(right)))
    console.print(listing("answers", "right", "of", rows=rows))


def _share(right: list[bool]) -> tuple[str, str]:
    return (f"{sum(right) / len(right):.3f}" if right else "–", f"{len(right):,}")
