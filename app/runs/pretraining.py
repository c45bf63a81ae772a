"""Models pretrained from nothing: on a corpus of the store, or on the demo's world made anew."""

from collections.abc import Sequence
from pathlib import Path

from app.demo.pretrain import PretrainConfig, PretrainReport, pretrain
from app.demo.shipped import write_world
from app.demo.world import generate
from app.errors import UserError
from app.runs.checkpoints import check_place, name_checkpoints
from app.runs.demo_world import NAME, DemoFiles
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.corpora import get_corpus, stream_passages
from app.store.engine import Store


def pretrain_on(
    settings: Settings,
    store: Store,
    corpus: str,
    name: str,
    config: PretrainConfig,
    *,
    checkpoints: int = 0,
    bar: Bar = unseen,
) -> tuple[PretrainReport, list[str]]:
    """Pretrain HOME/models/NAME on a corpus; returns the report and the names of its checkpoints, models of their own.

    Args:
        checkpoints: how many states on the way are kept.
        bar: shows the steps and the loss.

    Raises:
        UserError: there is no such corpus, or the name is taken or none of a directory.
    """
    check_place(settings.models, name, checkpoints)
    with store.session() as session:
        texts = [text for _, _, text in stream_passages(session, get_corpus(session, corpus).id)]
    report = _pretrain(texts, settings.models / name, config, bar, checkpoints=checkpoints)
    return report, name_checkpoints(report.out)


def demo_files_anew(settings: Settings, bar: Bar = unseen) -> DemoFiles:
    """The demo's files, generated and trained again in HOME/demo-retrained; a model that is there is kept.

    Raises:
        UserError: the home has the demo's model already.
    """
    if (settings.models / NAME).exists():
        raise UserError(
            f"{settings.models / NAME} exists already.",
            remedy="Give another STARTRAIL_HOME, or remove that one first.",
        )
    world = generate()
    folder = settings.home / "demo-retrained"
    corpus, prompts, endings = write_world(world, folder)
    out = folder / "model"
    if not out.exists():
        _pretrain([passage["text"] for passage in world.passages], out, PretrainConfig(), bar, half=True)
    return DemoFiles(out, corpus, prompts, endings)


def _pretrain(
    texts: Sequence[str],
    out: Path,
    config: PretrainConfig,
    bar: Bar,
    *,
    checkpoints: int = 0,
    half: bool = False,
) -> PretrainReport:
    if out.exists():
        raise UserError(f"{out} exists already.", remedy="Choose another --name, or remove it first.")
    with bar("Pretraining, steps") as show:

        def step(done: int, total: int, tokens: int, loss: float, rate: float) -> None:
            show(done, total, f"Pretraining, loss {loss:.2f}")

        return pretrain(texts, out, config, progress=step, checkpoints=checkpoints, half=half)
