"""`startrail ablate`: what each part of the method is worth, over one prompt set."""

from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `ablate`."""
    app.command(name="ablate", help=ablate.__doc__)(ablate)


def ablate(
    index: Annotated[str, typer.Argument(help="An index: its model, corpus and projection are used.")],
    prompts: Annotated[str, typer.Option(help="The prompt set to ask.")],
    prefix: Annotated[str, typer.Option(help="Put before the runs' names.")] = "",
    mixing: Annotated[
        bool, typer.Option(help="Also TrackStar at several λ, for the trade-off curve.")
    ] = True,
    baselines: Annotated[
        bool,
        typer.Option(help="Also BM25, random passages and the passages that state the fact, where missing."),
    ] = True,
    k: Annotated[int, typer.Option("-k", min=1, help="Proponents kept for each prompt.")] = 10,
) -> None:
    """Make a run of every variant: gradient dot, gradient cosine, +V, +R_train, +V+R_train, TrackStar, TRAK-style.

    The corpus is encoded once for each choice of V and loss, not once for each variant.
    """
    from sqlalchemy import select

    from app.cli.progress import bar
    from app.cli.retrieve import report
    from app.store.engine import open_store
    from app.store.tables import Run
    from app.tracing.ablate import ablate as make_runs
    from app.tracing.ablate import mixing_variants, paper_variants
    from app.tracing.retrieve import ensure_answers, open_task, retrieve

    settings = get_settings()
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        task = open_task(session, settings, index, prompts)
        with bar("Answering prompts") as step:
            ensure_answers(session, task, step)
    made = []
    for method in ("bm25", "random", "ground-truth") if baselines else ():
        slug = f"{prefix}{method}"
        with store.session() as session:
            if session.scalar(select(Run.id).where(Run.slug == slug)) is None:
                with bar(f"Retrieving by {method}") as step:
                    made.append(retrieve(session, task, method, slug=slug, k=k, progress=step))
    base = task.index.manifest.method
    variants = paper_variants(base) | (mixing_variants(base) if mixing else {})
    with store.session() as session:
        with bar("Encoding and scoring passages") as step:
            made += make_runs(session, task, variants, prefix=prefix or f"{index}-", k=k, progress=step)
        report(session, made)
