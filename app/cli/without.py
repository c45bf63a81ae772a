"""`startrail without`: what would a small model say that never read these passages?"""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import UserError
from app.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.tracing.without import AskedOf


def register(app: typer.Typer) -> None:
    """Add `without`."""
    app.command(name="without", help=without.__doc__)(without)


def without(
    passages: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of passages, as their corpus has them.", show_default=False),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of a prompt to ask; several times for several. Default: those it should move most."
        ),
    ] = None,
    states: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROMPT", help="Also leave out all passages that state the fact of this prompt."
        ),
    ] = None,
    corpus: Annotated[str, typer.Option(help="Corpus in the store.")] = "demo",
    train: Annotated[bool, typer.Option(help="Train it; else only say what is predicted.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Train the small model of `startrail truth` without some passages, and see what it no longer says.

    What is predicted is said first: the sum of the passages' influences, and what trainings without small groups of passages
    say that it is worth. Then the model is trained, beside one that is trained with everything (once, and kept): a worker that
    runs already does it, or this command by itself. It takes about a minute of a processor, and goes on where it was stopped.

    Example: `startrail without --states capital-china --prompt capital-china`
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar, console
    from app.cli.without_table import document, table
    from app.store.corpora import get_corpus
    from app.store.leaving import passages_called, stating
    from app.tracing.waiting import wait_for
    from app.tracing.without import (
        KIND,
        MOST_PASSAGES,
        WithoutRequest,
        ask_without,
        foretold,
        left_out,
    )

    settings = get_settings()
    store = open_store(settings.url)
    with store.session() as session:
        named = passages_called(session, get_corpus(session, corpus), passages or [])
        if missing := set(passages or []) - set(named):
            raise UserError(
                f"“{corpus}” has no passage “{min(missing)}”.",
                field="passages",
                remedy="Give ids of its passages.",
            )
        ids = list(named.values())
        for each in states or []:
            ids += stating(session, each, MOST_PASSAGES + 1)
        out, kept = left_out(session, settings, ids)
        asked = _prompts(session, prompt or kept.influences.most_moved(out.external_ids, 5))
        told = foretold(kept, out, asked)
        if train:
            request = WithoutRequest(passages=tuple(out.ids), prompts=tuple(asked))
            job = ask_without(session, settings, request, told).job.id
    if not train:
        console.print_json(json.dumps(document(asked, told, None))) if as_json else console.print(
            table(asked, told, None)
        )
        return
    done = wait_for(settings, store, job, bar, (KIND,))
    if as_json:
        typer.echo(json.dumps({"id": done.id} | document(asked, told, done.result), ensure_ascii=False))
        return
    console.print(table(asked, told, done.result))
    console.print(f"[green]✓[/] /without/{done.id}: {len(out.ids)} of its passages left out", highlight=False)


def _prompts(session: "Session", names: list[str]) -> "list[AskedOf]":
    from app.store.leaving import prompts_named
    from app.tracing.without import MOST_PROMPTS, AskedOf
    from app.words.joining import follow

    if not names:
        raise UserError(
            "Nothing tells which prompts these passages move.",
            field="prompt",
            remedy="Name one with --prompt.",
        )
    if len(names) > MOST_PROMPTS:
        raise UserError(
            f"{MOST_PROMPTS} prompts are the most that are asked at once.",
            field="prompt",
            remedy="Name fewer.",
        )
    found = prompts_named(session, names, None)
    if missing := set(names) - set(found):
        raise UserError(
            f"There is no prompt “{min(missing)}”.",
            field="prompt",
            remedy="startrail prompts list shows the sets.",
        )
    return [
        AskedOf.stored(name, found[name].text, follow(found[name].text, found[name].target)) for name in names
    ]
