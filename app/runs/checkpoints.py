"""The states of a model on its way through a training, as models of their own."""

from glob import escape
from pathlib import Path

from app.errors import UserError
from app.tracing.catalog import plain


def check_place(models: Path, name: str, checkpoints: int) -> None:
    """Refuse before a training what would be in its way when it is done.

    Raises:
        UserError: the name is none of a directory, or its checkpoints' names are taken.
    """
    if not plain(name):
        raise UserError(
            f"“{name}” is no name of a directory in {models}.",
            field="name",
            remedy="Give a --name without slashes.",
        )
    taken = sorted(path.name for path in models.glob(f"{escape(name)}-step-*") if path.exists())
    if checkpoints and taken:
        raise UserError(
            f"There are models of the checkpoints' names already: {', '.join(taken)}.",
            field="name",
            remedy="Choose another --name, or remove them first.",
        )


def name_checkpoints(model: Path) -> list[str]:
    """Make `NAME/checkpoints/step-N` a model of its own, `NAME-step-N`: the charts know it by that name."""
    found = sorted(model.glob("checkpoints/step-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for folder in found:
        link = model.with_name(f"{model.name}-{folder.name}")
        link.unlink(missing_ok=True)  # left of a model that was removed: it leads nowhere
        link.symlink_to(folder.relative_to(model.parent))
    return [f"{model.name}-{folder.name}" for folder in found]
