"""`startrail pretrain`: a small language model from scratch, on any corpus."""

from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `pretrain`."""
    app.command(name="pretrain", help=pretrain.__doc__)(pretrain)


def pretrain(
    corpus: Annotated[
        str, typer.Argument(help="Name of a corpus in the store (see `startrail corpus add`).")
    ],
    name: Annotated[str, typer.Option(help="The model's name; it is written to HOME/models/NAME.")],
    epochs: Annotated[int, typer.Option(min=1, help="Times the corpus is read.")] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Passages per step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=1e-6, help="Adafactor's peak learning rate.")] = 3e-2,
    vocab_size: Annotated[int, typer.Option(min=260, help="Size of the byte-level BPE vocabulary.")] = 4096,
    hidden_size: Annotated[int, typer.Option(min=16, help="Width of the model.")] = 256,
    layers: Annotated[int, typer.Option(min=1, help="Transformer blocks.")] = 4,
    heads: Annotated[int, typer.Option(min=1, help="Attention heads.")] = 4,
    intermediate_size: Annotated[int, typer.Option(min=16, help="Width of the MLP.")] = 704,
    max_length: Annotated[int, typer.Option(min=8, help="Tokens of a passage that are read.")] = 256,
    checkpoints: Annotated[
        int, typer.Option(min=0, help="Also keep so many states on the way, as models NAME-step-N.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Same seed, corpus and threads: same weights.")] = 0,
    label_smoothing: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.9, help="Keeps the model from certainty, so that passages keep their gradients."
        ),
    ] = 0.1,
    bfloat16: Annotated[
        bool, typer.Option(help="Matrix products in bfloat16 (faster on processors that have it).")
    ] = True,
) -> None:
    """Pretrain a small Llama on a corpus, keeping the optimizer's second moments for TrackStar.

    The model is a Hugging Face checkpoint; `startrail index NAME CORPUS` comes next.
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar, console
    from app.demo.pretrain import PretrainConfig
    from app.runs.pretraining import pretrain_on

    settings = get_settings()
    config = PretrainConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        intermediate_size=intermediate_size,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_length=max_length,
        seed=seed,
        bfloat16=bfloat16,
        label_smoothing=label_smoothing,
    )
    store = open_store(settings.url, migrate=True)
    report, kept = pretrain_on(settings, store, corpus, name, config, checkpoints=checkpoints, bar=bar)
    console.print(
        f"[green]✓[/] {report.out}: {report.parameters:,} parameters, {report.passages:,} passages,"
        f" {report.tokens:,} tokens in {report.steps:,} steps, loss {report.first_loss:.2f} → "
        f"{report.final_loss:.2f}, {report.seconds / 60:.1f} minutes"
        + (f"; checkpoints {', '.join(kept)}" if kept else "")
    )
