"""`startrail retrieve`: a method over a whole prompt set, as a run in the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.computing import ComputeType, InCluster, computing_in
from app.cli.reading import tell_left_out
from app.retrieval.kinds import OFFERED
from app.settings import get_settings
from app.words.answers import BOTH
from app.words.methods import TRACKSTAR, rankers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.evaluation.standing import RunStanding

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
    prompts: Annotated[str, typer.Option(help="The prompt set to ask.")],
    index: Annotated[
        str, typer.Argument(help="An index in HOME/indexes; it names its model and corpus.")
    ] = "",
    corpus: Annotated[
        str, typer.Option(help="In place of an index: a corpus, ranked by its texts; no model is asked.")
    ] = "",
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
    no_answers: Annotated[
        bool,
        typer.Option("--no-answers", help="Do not ask the model for its answers; targets are explained."),
    ] = False,
    dtype: ComputeType = "",
    cluster: InCluster = "",
) -> None:
    """Ask a method about every prompt of a set and save the run; the model's answers are saved with it.

    With --cluster its members encode the prompts, and order candidates by EK-FAC. Methods that read texts need no model:

    startrail retrieve --corpus mine --prompts mine --method bm25
    """
    from app.cli.progress import bar
    from app.runs.retrieving import retrieve_set

    settings = computing_in(get_settings(), dtype)
    made = retrieve_set(
        settings,
        None,
        index,
        prompts,
        method,
        run=run,
        k=k,
        opponents=opponents,
        kind=search,
        dense_model=dense_model,
        explains=explain,
        contrast=contrast,
        choose_by=choose_by,
        corpus=corpus,
        answers=not no_answers,
        cluster=cluster,
        bar=bar,
    )
    tell_left_out(made.left_out, None)
    show_standings(made.standings)


def show_standings(found: "Sequence[RunStanding]") -> None:
    """Print where passages that state the fact stand."""
    from rich.table import Table

    from app.cli.progress import console

    table = Table(title="Where passages that state the fact stand", title_justify="left")
    for heading in ("run", "prompts", "MRR", "recall@10"):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    for each in found:
        figures = (f"{each.mrr:.3f}", f"{each.recall_10:.3f}") if each.prompts else ("–", "–")
        table.add_row(each.run, f"{each.prompts:,}", *figures)
    console.print(table)
