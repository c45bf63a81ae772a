"""The options that say what models compute in and where, for every command that loads one."""

from typing import Annotated

import typer

from app.settings import Settings

MODEL = (
    "A model's name in HOME/models, a checkpoint directory, OWNER/NAME[@REVISION] on the hub, an address"
    " (s3://BUCKET/NAME), or a GGUF file."
)
ComputeType = Annotated[
    str,
    typer.Option(
        "--dtype", help="Compute in float32 or bfloat16; empty: STARTRAIL_DTYPE.", show_default=False
    ),
]
InCluster = Annotated[
    str,
    typer.Option(
        "--cluster",
        help="Several devices or machines, by Ray: auto (the cluster this machine is in, or all of this machine), local, or"
        " ray://HOST:10001; empty: this process alone.",
        show_default=False,
    ),
]


def computing_in(settings: Settings, dtype: str) -> Settings:
    """The settings with what a command's option says of them."""
    return settings.model_copy(update={"dtype": dtype}) if dtype else settings
