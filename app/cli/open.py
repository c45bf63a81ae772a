"""`startrail open`: results of another tool, imported and served in one."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.reading import tell_run
from app.cli.serve import HOST_HELP, run_site


def register(app: typer.Typer) -> None:
    """Add `open`."""
    app.command(name="open", help=open_.__doc__)(open_)


def open_(
    path: Annotated[
        str, typer.Argument(help="A results file, or the folder in which a tool saved its scores.")
    ],
    run: Annotated[str, typer.Option(help="Name of the run that it becomes; default: the file's.")] = "",
    prompts: Annotated[str, typer.Option(help="Prompt set that scores were computed for.")] = "imported",
    corpus: Annotated[str, typer.Option(help="Corpus that scores were computed for.")] = "imported",
    host: Annotated[str, typer.Option(help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Import results, unless a run of this name is there, and serve them: `startrail import` and `startrail serve` in one."""
    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.errors import NotFound
    from app.interchange.results import Destination, import_results
    from app.settings import get_settings
    from app.store.arriving import arrival
    from app.store.naming import slugify
    from app.store.runs import get_run

    slug = slugify(run or Path(path).resolve().name.partition(".")[0])
    store = open_store(get_settings().url, migrate=True)
    try:
        with store.session() as session:
            made = get_run(session, slug)
    except NotFound:
        with arrival(store) as arrives:
            into = Destination(prompts, corpus)
            made = import_results(arrives.session, path, run=slug, into=into, arrival=arrives)
    tell_run(made)
    store.close()
    console.print(f"  http://{host}:{port}/runs/{slug}", soft_wrap=True)
    run_site(host, port, worker=False)
