"""`startrail retrieve`: a method over a whole prompt set, as a run in the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.computing import ComputeType, computing_in
from app.cli.reading import tell_left_out
from app.errors import UserError
from app.retrieval.kinds import OFFERED
from app.settings import get_settings
from app.words.answers import BOTH, SAID, TARGET
from app.words.choices import CHOICES
from app.words.methods import TRACKSTAR, rankers

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.store.tables import Run

DENSE_MODEL = "Directory of the sentence-transformers model of dense; default STARTRAIL_DENSE_MODEL."
ChooseBy = Annotated[
    str,
    typer.Option(
        help="Of prompts with choices, the model takes the one of the highest total probability, or per token: total or"
        " token; default: as they were judged before, at first total."
    ),
]
METHOD = f"One of {', '.join(each.name for each in rankers())}; {TRACKSTAR} is the index's own method."


def register(app: typer.Typer) -> None:
    """Add `retrieve`."""
    app.command(name="retrieve", help=retrieve.__doc__)(retrieve)


def retrieve(
    index: Annotated[str, typer.Argument(help="An index in HOME/indexes; it names its model and corpus.")],
    prompts: Annotated[str, typer.Option(help="The prompt set to ask.")],
    method: Annotated[str, typer.Option(help=METHOD)] = TRACKSTAR,
    run: Annotated[str, typer.Option(help="The run's name in URLs; default INDEX-METHOD.")] = "",
    k: Annotated[int, typer.Option("-k", min=1, help="Proponents kept for each prompt.")] = 10,
    opponents: Annotated[int, typer.Option(min=0, help="Opponents kept for each prompt.")] = 5,
    search: Annotated[
        str, typer.Option("--index", help=f"How rows are searched: {OFFERED}. Default: the index's own.")
    ] = "",
    dense_model: Annotated[Path | None, typer.Option(help=DENSE_MODEL)] = None,
    explain: Annotated[
        str,
        typer.Option(
            help="What is explained of each prompt: its target, what the model said, or both, the second in a run of its"
            " own where it is something else: target, said or both. What it said wrong is explained rather than the truth,"
            " by methods that can subtract."
        ),
    ] = BOTH,
    contrast: Annotated[
        str,
        typer.Option(
            help="choices: of prompts with choices, why the one explained and not the likeliest other one."
        ),
    ] = "",
    choose_by: ChooseBy = "",
    dtype: ComputeType = "",
) -> None:
    """Ask a method about every prompt of a set and save the run; the model's answers are saved with it."""
    from app.cli.progress import bar
    from app.runs.inputs import ensure_answers, open_inputs
    from app.runs.ranking.request import check_method
    from app.runs.retrieve import checked_explain
    from app.runs.retrieve import explain as make_runs
    from app.store.engine import open_store
    from app.store.naming import slugify

    settings = computing_in(get_settings(), dtype)
    dense_model = dense_model or settings.dense_model
    if contrast not in ("", CHOICES):
        raise UserError(
            f"There is no contrast “{contrast}”.", field="contrast", remedy=f"Use --contrast {CHOICES}."
        )
    check_method(method, dense_model, contrast=bool(contrast))
    checked_explain(explain)
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        inputs = open_inputs(session, settings, index, prompts)
        tell_left_out(list(inputs.left_out.items()), None)
        with bar("Answering prompts") as step:
            ensure_answers(
                session, inputs, step, explains=TARGET if explain == TARGET else SAID, by=choose_by
            )
    with store.session() as session:
        with bar(f"Retrieving by {method}") as step:
            made = make_runs(
                session,
                inputs,
                method,
                explain,
                contrast=bool(contrast),
                slug=slugify(run or f"{index}-{method}"),
                k=k,
                opponents=opponents,
                kind=search,
                dense_model=dense_model,
                progress=step,
            )
        report(session, made)


def report(session: "Session", runs: "list[Run]", *, task: str = "") -> None:
    """Print how well runs do on the prompts (of a task) whose fact some passage is known to state."""
    from rich.table import Table
    from sqlalchemy import exists, select

    from app.cli.progress import console
    from app.store.tables import Prompt, Result, Statement

    table = Table(title="Where passages that state the fact stand", title_justify="left")
    for heading in ("run", "prompts", "MRR", "recall@10"):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    for run in runs:
        stated = exists().where(Statement.prompt_id == Result.prompt_id)
        query = select(Result.first_correct_rank).join(Prompt, Prompt.id == Result.prompt_id)
        query = query.where(Result.run_id == run.id, stated, *([Prompt.task == task] if task else []))
        ranks = session.scalars(query).all()
        if ranks:
            mrr = sum(1 / rank for rank in ranks if rank) / len(ranks)
            recall = sum(1 for rank in ranks if rank and rank <= 10) / len(ranks)
            table.add_row(run.name, f"{len(ranks):,}", f"{mrr:.3f}", f"{recall:.3f}")
        else:
            table.add_row(run.name, "0", "–", "–")
    console.print(table)
