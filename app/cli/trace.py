"""`startrail trace`: ask from the terminal."""

import json
from typing import Annotated

import typer

from app.errors import UserError
from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `trace`."""
    app.command(name="trace", help=trace.__doc__)(trace)


def trace(
    prompt: Annotated[str, typer.Argument(help="What the model reads.")],
    completion: Annotated[
        str | None, typer.Argument(help="What is to be explained; without it the model completes the prompt.")
    ] = None,
    instead: Annotated[
        str | None, typer.Option("--instead", help="A second completion: why the first rather than this?")
    ] = None,
    model: Annotated[str, typer.Option(help="Model to ask; empty: the default.")] = "",
    index: Annotated[str, typer.Option(help="Index to search; empty: the default.")] = "",
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 10,
    opponents: Annotated[
        bool, typer.Option("--opponents", help="Also the passages that speak against it.")
    ] = False,
    samples: Annotated[int, typer.Option(min=0, max=20, help="Completions to sample.")] = 0,
    train: Annotated[bool, typer.Option("--train", help="Also train one step on each proponent.")] = False,
    optimizer: Annotated[
        str, typer.Option(help="Of that step: adafactor, adamw, sgd; empty: the one saved with the model.")
    ] = "",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9, max=10, help="Of that step; default the one that training ended with, or by rule."
        ),
    ] = None,
    chat: Annotated[
        bool,
        typer.Option(
            "--chat",
            help="The prompt is a chat: a line that begins with `system:`, `user:` or `assistant:` begins a turn; an answer"
            " at the end is what is explained.",
        ),
    ] = False,
    as_typed: Annotated[
        bool,
        typer.Option("--as-typed", help="Join what is given to the prompt as it is, without asking back."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show which training passages made the model say that.

    A worker that runs already answers (`startrail serve` has one); without one, this command answers by itself.
    The trace is kept and can be opened in the browser.

    A completion follows the prompt as it is given, with the space it begins with.

    Example: `startrail trace "The currency of Ghana is the" " cedi"`
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar
    from app.cli.trace_table import show
    from app.models.optimizers import optimizer_named
    from app.store.work_tables import Trace
    from app.tracing.questions import Message, Question
    from app.tracing.waiting import StepSettings, trace_now
    from app.words.chat_text import turns_written
    from app.words.joining import doubts

    if optimizer:
        optimizer_named(optimizer)
    turns = turns_written(prompt) if chat else []
    meant = [] if as_typed or chat else doubts(prompt, completion, instead)
    if meant:
        said = ", ".join(f"{name} “{text}”" for name, text in meant[0].repaired.items())
        raise UserError(meant[0].message, remedy=f"Give {said}, or --as-typed.", field=meant[0].field)
    settings = get_settings()
    store = open_store(settings.url)
    question = Question(
        prompt="" if turns else prompt,
        messages=tuple(Message.model_validate({"role": role, "content": said}) for role, said in turns)
        or None,
        completion=completion,
        contrast=instead,
        model=model,
        index=index,
        k=k,
        opponents=opponents,
        samples=samples,
    )
    asked = trace_now(
        settings, store, question, StepSettings(optimizer, learning_rate) if train else None, bar
    )
    with store.session() as session:
        answer = session.get_one(Trace, asked.id)
        if as_json:
            document = {"id": asked.id, "status": "done", "reused": asked.reused, "request": answer.request}
            document |= {"result": answer.result, "training": asked.training}
            typer.echo(json.dumps(document, ensure_ascii=False))
        else:
            show(session, answer, asked.training, reused=asked.reused)
