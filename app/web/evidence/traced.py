"""The evidence for a trace: what the training steps asked for it did to its answer. Pure."""

from collections.abc import Sequence

from app.store.steps import StepsOf
from app.tracing.trace_results import Hit, Step, TraceResult, TrainingResult
from app.web.evidence.lanes import AGAINST, FOR, RANDOM, WORDS, Dot, Evidence, Lane, after, lane, source_of
from app.web.evidence.measured import DEPTH, after_steps, evidence
from app.web.site import urls
from app.words.methods import BM25


def evidence_of_trace(
    result: TraceResult, answer: str, trainings: Sequence[TrainingResult], shown: dict[int, str]
) -> Evidence:
    """The lanes of a trace; `shown` are the anchors of the passages that have a place on the page."""
    if not trainings:
        return evidence(answer, None, [], {})
    last = trainings[-1]
    changes = {step.passage_id: step.change for training in trainings for step in training.steps}

    def measured(name: str, method: str, hits: Sequence[Hit]) -> Lane:
        dots = [
            Dot(
                passage_id=hit.passage_id,
                after=after(last.probability, changes[hit.passage_id]),
                rank=hit.rank,
                url=shown.get(hit.passage_id) or urls.passage(hit.passage_id),
            )
            for hit in hits[:DEPTH]
            if hit.passage_id in changes
        ]
        return lane(name, dots, source=source_of(name, method, len(dots)), method=method)

    own, words = result.rankings.get(result.method), result.rankings.get(BM25)
    control = [
        Dot(
            passage_id=step.passage_id,
            after=after(last.probability, step.change),
            url=urls.passage(step.passage_id),
        )
        for step in last.control
    ]
    lanes = [
        measured(FOR, result.method, own.proponents if own else []),
        measured(WORDS, BM25, words.proponents if words else []),
        lane(RANDOM, control, source=source_of(RANDOM, "", len(control))),
        measured(AGAINST, result.method, own.opponents if own else []),
    ]
    return evidence(answer, last.probability, lanes, last.settings)


def alike(trainings: Sequence[TrainingResult]) -> list[TrainingResult]:
    """Those that stepped as the last did: figures of two optimizers or learning rates do not stand side by side."""
    return [each for each in trainings if each.settings == trainings[-1].settings]


def unasked(taken: StepsOf | None) -> list[TrainingResult]:
    """The steps that were taken without being asked, as far as they are: like a training that somebody asked for."""
    if taken is None or not (ends := after_steps(taken)):
        return []
    control = {dot.passage_id for dot in taken.lanes.get(RANDOM, [])}
    steps = [Step(passage_id=id_, change=100 * (end - taken.before)) for id_, end in ends.items()]
    return [
        TrainingResult(
            steps=[step for step in steps if step.passage_id not in control],
            control=[step for step in steps if step.passage_id in control],
            probability=taken.before,
            settings=taken.settings,
            timings={},
        )
    ]


def to_measure(result: TraceResult, trainings: Sequence[TrainingResult]) -> list[int]:
    """The passages whose step is not known yet, of all lanes."""
    known = {step.passage_id for training in trainings for step in training.steps}
    own, words = result.rankings.get(result.method), result.rankings.get(BM25)
    lists = [own.proponents, own.opponents] if own else []
    lists += [words.proponents] if words else []
    wanted = dict.fromkeys(hit.passage_id for hits in lists for hit in hits[:DEPTH])
    return [id_ for id_ in wanted if id_ not in known]
