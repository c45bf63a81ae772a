"""`startrail finetune`: a model on the training examples that answers are to be traced to."""

from typing import Annotated

import typer

from app.cli.computing import MODEL
from app.models.marks import CONVENTIONS
from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `finetune`."""
    app.command(name="finetune", help=finetune.__doc__)(finetune)


def finetune(
    model: Annotated[str, typer.Argument(help=MODEL)],
    corpus: Annotated[
        str, typer.Argument(help="Name of a corpus in the store (see `startrail corpus add`).")
    ],
    name: Annotated[str, typer.Option(help="The new model's name; default MODEL-CORPUS.")] = "",
    lora: Annotated[
        bool,
        typer.Option("--lora/--whole", help="Train two thin matrices beside each weight, or all weights."),
    ] = True,
    rank: Annotated[int, typer.Option(min=1, help="Of LoRA's matrices; their scale is 2.")] = 8,
    layers: Annotated[
        int, typer.Option(min=0, help="LoRA on the last so many blocks only, which is cheaper; 0: on all.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Times the corpus is read.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples per step.")] = 8,
    learning_rate: Annotated[
        float, typer.Option(min=0.0, help="AdamW's peak. [default: 2e-4 with LoRA, 2e-5 without]")
    ] = 0.0,
    weight_decay: Annotated[float, typer.Option(min=0.0, help="AdamW's.")] = 0.0,
    beta: Annotated[
        float, typer.Option(min=1e-4, help="Of DPO, where the corpus has preference pairs.")
    ] = 0.1,
    checkpoints: Annotated[
        int, typer.Option(min=0, help="Also keep so many states on the way, as models NAME-step-N.")
    ] = 0,
    marks: Annotated[
        str,
        typer.Option(
            help=f"What stands around texts: {', '.join(CONVENTIONS)}; default: the tokenizer's way."
        ),
    ] = "",
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens in memory at once; a batch of more is read in parts.")
    ] = 4096,
    dtype: Annotated[
        str, typer.Option(help="Of the base under an adapter: float32, or bfloat16, which is faster.")
    ] = "float32",
    seed: Annotated[int, typer.Option(help="Same seed, corpus and threads: same weights.")] = 0,
) -> None:
    """Fine-tune a model on a corpus, keeping the optimizer's moments and the order of examples.

    The loss falls where the corpus says: on every token of a text, on completions, on the assistant's turns; of preference
    pairs it is DPO's. The new model stands in HOME/models/NAME: an adapter with links to its base (--lora), or whole. A
    training that was stopped goes on where it was when the same command is given again.

    What comes next: `startrail index NAME CORPUS`, then ask it on the site. For influence over time keep --checkpoints and
    index those too; `order.jsonl` beside the weights says which passages each step saw.

    For Hugging Face's Trainer and TRL there is `startrail.hf.KeepForStartrail`, which saves the same from your own training.
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar, console
    from app.models.finetune import FinetuneConfig
    from app.runs.finetuning import finetune_on

    settings = get_settings()
    config = FinetuneConfig(
        rank=rank if lora else 0,
        layers=layers if lora else 0,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        beta=beta,
        seed=seed,
        batch_tokens=batch_tokens,
        dtype=dtype,
    )
    store = open_store(settings.url, migrate=True)
    report, kept = finetune_on(
        settings, store, model, corpus, name, config, checkpoints=checkpoints, marks=marks, bar=bar
    )
    untaught = f" ({report.untaught:,} with nothing to learn)" if report.untaught else ""
    console.print(
        f"[green]✓[/] {report.out}: {report.parameters:,} parameters trained on {report.passages:,} passages{untaught},"
        f" {report.tokens:,} tokens in {report.steps:,} steps, loss {report.first_loss:.3f} → {report.final_loss:.3f},"
        f" {report.seconds / 60:.1f} minutes" + (f"; checkpoints {', '.join(kept)}" if kept else "")
    )
