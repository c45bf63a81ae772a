"""`startrail truth`: does what a method predicts come true when models are trained without parts of the corpus?"""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.computing import InCluster
from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `truth`."""
    app.command(name="truth", help=truth.__doc__)(truth)


def truth(
    name: Annotated[str, typer.Argument(help="Of the outcome, HOME/truth/NAME.json.gz.")] = "demo",
    corpus: Annotated[str, typer.Option(help="Corpus in the store.")] = "demo",
    prompts: Annotated[str, typer.Option(help="Prompt set in the store.")] = "demo",
    task: Annotated[str, typer.Option(help="Prompts of this task are asked.")] = "fact",
    only: Annotated[
        str, typer.Option(metavar="FIELD=VALUE", help="Train on passages with this value of a field.")
    ] = "",
    most: Annotated[int, typer.Option(min=1, help="Prompts asked, drawn at random.")] = 200,
    trainings: Annotated[int, typer.Option(min=0, help="Models, each without a random half.")] = 64,
    groups: Annotated[
        int,
        typer.Option(min=0, help="Groups of eight prompts for which each method's first 1 % is left out."),
    ] = 1,
    ticked: Annotated[
        int,
        typer.Option(
            min=0, help="Models without small groups of passages, one group for each of 50 prompts."
        ),
    ] = 4,
    train: Annotated[
        bool, typer.Option(help="Train what is missing; else write the outcome of what is done.")
    ] = True,
    threads: Annotated[int, typer.Option(min=1, help="Another number gives other weights.")] = 1,
    work: Annotated[
        Path | None, typer.Option(help="Where trainings are kept; default: HOME/truth/NAME.work.")
    ] = None,
    cluster: InCluster = "",
) -> None:
    """Train small models without random parts of a corpus, and see which method foretold what they say.

    Each training is kept when it is done: stop it at any time, and give the command again to go on. With --cluster its members
    train, each one model at a time on --threads processors, and score the passages.
    """
    import torch

    from app.cli.opening import open_store
    from app.cli.progress import bar, console
    from app.cli.truth_table import table
    from app.cluster.hiring import processors
    from app.cluster.joining import ray_package
    from app.runs.truth.experiment import Extent, ask, run

    if cluster:
        ray_package()  # refused before the corpus is read
    settings = get_settings()
    torch.set_num_threads(threads)
    place = settings.home / "truth"
    experiment = ask(
        open_store(settings.url),
        corpus,
        prompts,
        work or place / f"{name}.work",
        task=task,
        only=only,
        prompts=most,
    )
    again = f"startrail truth {name} --corpus {corpus} --prompts {prompts} --task {task}"
    again += f"{f' --only {only}' if only else ''} --most {most} --trainings {trainings} --groups {groups} --ticked {ticked}"
    file = place / f"{name}.json.gz"
    extent = Extent(trainings, groups, train, ticked=ticked)
    with processors(cluster if train else "", threads) as hands:
        outcome = run(experiment, extent, file, again, bar, hands)
    console.print(table(outcome))
    console.print(f"[green]✓[/] {file}: {len(outcome.trainings)} trainings without a random half")
