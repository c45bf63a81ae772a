"""Models named on the hub: `OWNER/NAME`, or `OWNER/NAME@REVISION`, fetched once at one commit.

Only what a model is made of is fetched, and never code. Where the files then lie says the commit (`snapshots/COMMIT`), which
the model's page shows.
"""

import re
from pathlib import Path

from app.errors import UserError

_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
FETCHED = [
    "*.json",
    "*.safetensors",
    "*.model",
    "*.txt",
    "*.jinja",
    "README.md",
    "LICENSE*",
    "optimizer.pt",
]
PICKLED = ["pytorch_model*.bin", "adapter_model.bin"]


def names_on_hub(name: str) -> bool:
    """Whether it is formed like a model's name on the hub."""
    return bool(_NAME.fullmatch(name))


def fetch_model(name: str) -> Path:
    """The directory of the model's files on this machine, at the commit that the revision is now.

    Files that are here already are not fetched again.

    Raises:
        UserError: there is no such model, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    try:
        info = HfApi().model_info(repository, revision=revision or None)
        files = [each.rfilename for each in info.siblings or []]
        plain = any(file.endswith(".safetensors") for file in files)
        wanted = FETCHED if plain else [*FETCHED, *PICKLED]
        return Path(snapshot_download(repository, revision=info.sha, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The hub did not give the model {name}: {said}",
            field="model",
            remedy="Check the name and the connection (HF_ENDPOINT, HF_TOKEN), or give a directory.",
        ) from None
