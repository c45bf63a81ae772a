"""Questions about models and what they answered."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.store.chunks import chunks
from app.store.corpora import CHUNK
from app.store.full_text import NEW_TEXTS
from app.store.memory import CHANGED_RUNS
from app.store.naming import suggest
from app.store.origins import NOTHING_SAID, Origin, describe
from app.store.tables import Model, Output

NO_MODEL = "no model"  # stands for the model of runs that asked none: a run has one


def no_model(session: Session) -> Model:
    """The model of runs that asked none."""
    known = session.scalar(select(Model).where(Model.name == NO_MODEL))
    said = Origin("No model was asked: passages are ranked by prompt and target alone.")
    return known or register_model(session, NO_MODEL, origin=said)


def get_model(session: Session, name: str) -> Model:
    """The model of this name.

    Raises:
        NotFound: there is none; close names are suggested.
    """
    model = session.scalar(select(Model).where(Model.name == name))
    if model is None:
        names = session.scalars(select(Model.name)).all()
        raise NotFound(f"There is no model “{name}”.", remedy=suggest(name, names, "startrail model list"))
    return model


def register_model(
    session: Session,
    name: str,
    *,
    path: str | None = None,
    sha256: str | None = None,
    parameters: int | None = None,
    origin: Origin = NOTHING_SAID,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Model:
    """The model of this name, made or brought up to date. `origin` fills in what nobody said of it yet."""
    model = session.scalar(select(Model).where(Model.name == name))
    if model is None:
        model = Model(name=name)
        session.add(model)
    model.path, model.sha256, model.parameters, model.facts = path, sha256, parameters, dict(facts)
    describe(session, model, origin, over=False)
    return model


def find_checkpoint(model: Model, models: Path) -> Path | None:
    """The directory with the model's weights: in `models`, which may have moved, or where it was registered."""
    places = (models / model.name, *([Path(model.path)] if model.path else []))
    return next((each for each in places if _has_weights(each)), None)


def _has_weights(path: Path) -> bool:
    return any(path.glob("model*.safetensors")) or any(path.glob("pytorch_model*.bin"))


def answers_change(session: Session, model_id: int) -> None:
    """Whoever writes what a model answered says so: what was worked out of its answers is then known to be old."""
    session.execute(update(Model).where(Model.id == model_id).values(answered=Model.answered + 1))
    session.info[CHANGED_RUNS] = True


def put_outputs(session: Session, model_id: int, outputs: Iterable[dict[str, Any]]) -> int:
    """Save what a model answered: `{prompt_id, answer, correct, probability, confidence, samples}`; returns how many.

    An earlier output of the same model and prompt gives way.
    """
    count = 0
    session.info[NEW_TEXTS] = True
    answers_change(session, model_id)
    for piece in chunks(outputs, CHUNK):
        for ids in chunks((output["prompt_id"] for output in piece), 500):
            session.execute(delete(Output).where(Output.model_id == model_id, Output.prompt_id.in_(ids)))
        session.execute(insert(Output), [{"model_id": model_id} | output for output in piece])
        count += len(piece)
    return count
