"""`startrail trace`: ask from the terminal."""

import json
import time
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from app.errors import UserError
from app.settings import get_settings

POLL = 0.02


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
    from app.cli.trace_table import show
    from app.models.optimizers import optimizer_named
    from app.store.engine import open_store
    from app.store.work_tables import Trace
    from app.tracing import asking
    from app.tracing.questions import Question, StepRequest
    from app.words.joining import doubts

    if optimizer:
        optimizer_named(optimizer)
    meant = [] if as_typed else doubts(prompt, completion, instead)
    if meant:
        said = ", ".join(f"{name} “{text}”" for name, text in meant[0].repaired.items())
        raise UserError(meant[0].message, remedy=f"Give {said}, or --as-typed.", field=meant[0].field)
    settings = get_settings()
    store = open_store(settings.url)
    question = Question(
        prompt=prompt,
        completion=completion,
        contrast=instead,
        model=model,
        index=index,
        k=k,
        opponents=opponents,
        samples=samples,
    )
    with store.session() as session:
        asked = asking.ask(session, settings, question)
    id_ = _wait(store, settings, asked.job.id).id
    training = None
    with store.session() as session:
        answer = session.get_one(Trace, id_)
    if train:
        hits = answer.result["rankings"]["trackstar"]["proponents"]
        with store.session() as session:
            wanted = StepRequest(
                trace=answer.id,
                passages=tuple(hit["passage_id"] for hit in hits),
                optimizer=optimizer,
                learning_rate=learning_rate,
            )
            put = asking.train(session, settings, wanted)
        training = _wait(store, settings, put.job.id).result
    with store.session() as session:
        if as_json:
            document = {"id": id_, "status": "done", "reused": asked.reused, "request": answer.request}
            typer.echo(
                json.dumps(document | {"result": answer.result, "training": training}, ensure_ascii=False)
            )
        else:
            show(session, answer, training, reused=asked.reused)


def _wait(store: Any, settings: Any, id_: str) -> Any:
    """The job once it is over: done by a worker that runs, else here.

    Raises:
        UserError: it failed or was cancelled.
    """
    from app.store import jobs, workers

    own = None
    with ExitStack() as closing:
        while True:
            with store.session() as session:
                found = jobs.find(session, id_)
                somebody = any(each.status != "failed" for each in workers.alive(session))
            if found.state in jobs.OVER:
                break
            if somebody and own is None:
                time.sleep(POLL)
            else:
                own = own or _worker(store, settings, closing)
                own.step()
    if found.state != "done":
        error = found.error or {"message": "The question was cancelled.", "remedy": ""}
        raise UserError(error["message"], remedy=error["remedy"], field=error.get("field"))
    return found


def _worker(store: Any, settings: Any, closing: ExitStack) -> Any:
    """A worker of this process, which ends when `closing` does: also one that cannot load, whose heart beats already."""
    from app.cli.progress import errors
    from app.tracing.trace_engine import TraceEngine, use_threads
    from app.tracing.worker import Worker

    use_threads(0)
    own = Worker(store, TraceEngine(settings, store, device=settings.device))
    with errors.status("No worker is running: loading model and index here …"):
        return closing.enter_context(own.opened())
