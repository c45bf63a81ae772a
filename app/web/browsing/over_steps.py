"""A model with several states is one model with steps: what the runs over its states say, on its page and on a passage's.

`startrail finetune --checkpoints` and `startrail pretrain --checkpoints` keep the states, as models NAME-step-N.
"""

from itertools import groupby

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.evaluation.curves import Curve, checkpoint_of, over_training
from app.store.most_found import most_found
from app.store.over_steps import model_names, runs_of_models, stood_in
from app.store.tables import Run
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.cutting import cut
from app.words.methods import method_label

SHOWN, EXCERPT = 8, 160


class StateOf(BaseModel):
    """A state: the step, the run over it, and the mean reciprocal rank of the passages that state the facts."""

    label: str
    url: PageUrl
    run_url: PageUrl
    model: str
    mrr: float | None
    chosen: bool


class Stood(BaseModel):
    """A passage in one state: for how many prompts it is among the first ten, its best rank and highest score."""

    label: str
    prompts: int
    rank: int | None
    score: float | None
    run_url: PageUrl


class PassageOverSteps(BaseModel):
    """A passage in all states, one after the other."""

    url: PageUrl
    text: str
    stood: list[Stood]


class OverSteps(BaseModel):
    """The runs of one method over one prompt set, and the passages found for most prompts in the state that is chosen."""

    method: str
    prompts: str
    states: list[StateOf]
    passages: list[PassageOverSteps]


class Began(BaseModel):
    """Since when a passage matters to a model: the first state in which it is among the first ten of any prompt."""

    model: str
    model_url: PageUrl
    method: str
    since: str
    stood: list[Stood]


def over_steps(session: Session, name: str, at: str) -> list[OverSteps]:
    """For each method and prompt set that were asked of several states of this model.

    Args:
        name: of the model, or of one of its states. at: the label of the state that is chosen; the last if there is none.
    """
    base = checkpoint_of(name)[0]
    family = [each for each in model_names(session) if checkpoint_of(each)[0] == base]
    made = []
    for curve in _curves(session, family) if len(family) > 1 else []:
        labels = [label for _, label, _ in curve.points]
        place = labels.index(at) if at in labels else len(labels) - 1
        runs = [run for *_, run in curve.points]
        made.append(
            OverSteps(
                method=method_label(curve.name),
                prompts=runs[0].prompt_set.name,
                states=[
                    StateOf(
                        label=label,
                        url=urls.model(name, at=label),
                        run_url=urls.run(run.slug),
                        model=run.model.name,
                        mrr=run.metrics.get("mrr"),
                        chosen=number == place,
                    )
                    for number, (_, label, run) in enumerate(curve.points)
                ],
                passages=_passages(session, curve, runs[place]),
            )
        )
    return made


def began(session: Session, passage: int) -> list[Began]:
    """For each model of several states and each method, since when the passage is found."""
    names = model_names(session)
    bases = {checkpoint_of(each)[0] for each in names if checkpoint_of(each)[1] is not None}
    family = [each for each in names if checkpoint_of(each)[0] in bases]
    made = []
    for curve in _curves(session, family) if family else []:
        stood = _stood(session, curve, [passage])[passage]
        if first := next((each for each in stood if each.prompts), None):
            base = checkpoint_of(curve.points[-1][2].model.name)[0]
            made.append(
                Began(
                    model=base,
                    model_url=urls.model(curve.points[-1][2].model.name),
                    method=method_label(curve.name),
                    since=first.label,
                    stood=stood,
                )
            )
    return made


def _curves(session: Session, models: list[str]) -> list[Curve]:
    """The runs over the states of models, those of one prompt set, corpus and question together."""

    def asked(run: Run) -> tuple[int, int, str, str]:
        return run.prompt_set_id, run.corpus_id, run.explains, checkpoint_of(run.model.name)[0]

    runs = sorted(runs_of_models(session, models), key=asked)
    return [curve for _, alike in groupby(runs, key=asked) for curve in over_training(list(alike))]


def _passages(session: Session, curve: Curve, chosen: Run) -> list[PassageOverSteps]:
    found = [passage for passage, _ in most_found(session, chosen, SHOWN)]
    stood = _stood(session, curve, [passage.id for passage in found])
    return [
        PassageOverSteps(
            url=urls.passage(passage.id), text=cut(passage.text, EXCERPT), stood=stood[passage.id]
        )
        for passage in found
    ]


def _stood(session: Session, curve: Curve, passages: list[int]) -> dict[int, list[Stood]]:
    found = stood_in(session, [run.id for *_, run in curve.points], passages)
    return {
        passage: [
            Stood(
                label=label,
                prompts=one.prompts if (one := found.get((run.id, passage))) else 0,
                rank=one.rank if one else None,
                score=one.score if one else None,
                run_url=urls.run(run.slug),
            )
            for _, label, run in curve.points
        ]
        for passage in passages
    }
