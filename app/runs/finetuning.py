"""A model of the home fine-tuned on a corpus of the home: names in, a model of the home out."""

from typing import Any

from app.errors import UserError
from app.models.finetune import FinetuneConfig, FinetuneReport, finetune
from app.models.load import compute_type, load_model
from app.models.trainee import Trainee
from app.runs.checkpoints import check_place, name_checkpoints
from app.runs.taking import find_model
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.corpora import get_corpus, stream_lessons
from app.store.engine import Store


def finetune_on(
    settings: Settings,
    store: Store,
    model: str,
    corpus: str,
    name: str,
    config: FinetuneConfig,
    *,
    checkpoints: int = 0,
    marks: str = "",
    bar: Bar = unseen,
) -> tuple[FinetuneReport, list[str]]:
    """Fine-tune HOME/models/NAME; returns the report and the names of its checkpoints, models of their own.

    A training that was stopped goes on where it was when the same is asked again.

    Args:
        name: the new model's; empty: MODEL-CORPUS.
        model, corpus: as `startrail index` takes the one; the other by its name in the store.
        checkpoints: how many states on the way are kept.
        marks: what stands around texts, see `app.models.marks`; empty: the model's own.
        bar: shows the steps and the loss.

    Raises:
        UserError: there is no such model or corpus, the name is taken or none of a directory, or see `finetune`.
    """
    if config.dtype != "float32" and not config.rank:
        raise UserError(
            f"All weights cannot be trained in {config.dtype}.",
            field="dtype",
            remedy="Train them in float32, or an adapter on them with --lora.",
        )
    place = find_model(settings, model)
    name = name or f"{place.place.name}-{corpus}"
    check_place(settings.models, name, checkpoints)
    with store.session() as session:
        found = get_corpus(session, corpus)
        about: dict[str, Any] = {"corpus": corpus, "corpus_sha256": found.sha256}
        passages = [passage for _, passage in stream_lessons(session, found.id)]
    loaded = load_model(
        place.directory, device=settings.device, dtype=compute_type(config.dtype), marks=marks
    )
    about |= {"base": place.place.name, "base_sha256": loaded.sha256, "marks": loaded.marks.as_dict()}
    examples = loaded.texts.passages(passages)
    trainee = Trainee(
        loaded,
        config.rank,
        layers=config.layers,
        beta=config.beta,
        batch_tokens=config.batch_tokens,
        seed=config.seed,
    )
    with bar("Fine-tuning, steps") as show:

        def step(done: int, total: int, loss: float) -> None:
            show(done, total, f"Fine-tuning, loss {loss:.3f}")

        report = finetune(
            trainee,
            examples,
            settings.models / name,
            config,
            about=about,
            checkpoints=checkpoints,
            progress=step,
        )
    return report, name_checkpoints(report.out)
