"""The whole experiment: train, score, sum, leave out, write. Whatever was done before is not done again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from sqlalchemy import select

from app.demo.pretrain import PretrainConfig
from app.errors import UserError
from app.models.hands import Hands
from app.runs.truth.scores import CANDIDATES, Scores, first_only, scores
from app.runs.truth.ticked import DECIDING, influences, rows_of, ticked_groups
from app.runs.truth.trainings import (
    EVERYTHING,
    SHAPE,
    AskedPrompt,
    Experiment,
    Trained,
    begin,
    finished,
    missed,
    train,
)
from app.showing import Bar, unseen
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import get_prompt_set, list_prompts
from app.store.tables import Passage
from app.truth.outcome import Outcome, write_outcome
from app.truth.plan import Halves, first_percent, groups_of
from app.words.methods import HELD_TO_TRUTH, RANDOM, TWO_STAGES

SHARE = 0.5  # of the passages stay in, as Park et al. 2023 have it
PROMPTS = 200  # asked of each training
GROUP = 8  # prompts whose passages are left out in one training


@dataclass(frozen=True)
class Extent:
    """How much is trained.

    Args:
        trainings: without a random part. groups: of prompts, for which each method's first percent is left out.
        train: whether what is missing is trained; else the outcome is written of what is done.
        ticked: trainings without small groups of passages, as readers tick them, one for each of some prompts.
    """

    trainings: int
    groups: int
    train: bool = True
    seed: int = 0
    ticked: int = 0


def ask(
    store: Store,
    corpus: str,
    prompt_set: str,
    work: Path,
    *,
    task: str,
    only: str = "",
    prompts: int = PROMPTS,
    config: PretrainConfig = SHAPE,
) -> Experiment:
    """The experiment over a corpus of the store and prompts of a set, drawn at random.

    Args:
        only: passages whose field has this value, `field=value`; empty for all.

    Raises:
        UserError: there are none, or no prompts of the task.
    """
    with store.session() as session:
        own = get_corpus(session, corpus)
        rows = session.execute(
            select(Passage.external_id, Passage.text, Passage.meta)
            .where(Passage.corpus_id == own.id)
            .order_by(Passage.position)
        ).all()
        field, _, value = only.partition("=")
        chosen = [row for row in rows if not only or str(row.meta.get(field)) == value]
        asked = [
            AskedPrompt(each.external_id, each.text, each.target, each.relation or "")
            for each in list_prompts(session, get_prompt_set(session, prompt_set).id)
            if each.task == task
        ]
        sha256 = own.sha256 or ""
    if not chosen:
        raise UserError(
            f"No passage has {only}." if only else "The corpus is empty.",
            field="only",
            remedy="Give FIELD=VALUE of the passages' fields.",
        )
    if not asked:
        raise UserError(
            f"“{prompt_set}” has no prompts of the task {task}.", field="task", remedy="Name another task."
        )
    drawn = Random(0).sample(asked, min(prompts, len(asked)))
    ids, texts = [row.external_id for row in chosen], [row.text for row in chosen]
    return Experiment(sha256, only, ids, texts, drawn, config, work)


def run(
    experiment: Experiment,
    extent: Extent,
    out: Path,
    command: str,
    bar: Bar = unseen,
    hands: Hands[None] | None = None,
) -> Outcome:
    """Train what is missing, and write the outcome of all that is done.

    Args:
        command: what makes it again, for those who read the file.
        hands: who trains and scores; None: this process.

    Raises:
        UserError: the work directory is of another experiment, or nothing is trained and nothing is to be.
    """
    begin(experiment)
    passages = len(experiment.ids)
    halves = Halves(passages, SHARE, extent.seed)
    done = finished(experiment.work)
    if extent.train:
        everything = (EVERYTHING, np.ones(passages, dtype=bool))
        halved = ((_half(number), halves.kept(number)) for number in range(extent.trainings))
        train(experiment, (everything, *halved), done, bar, hands)
    if EVERYTHING not in done:
        raise UserError(
            "No training is done.",
            file=experiment.work,
            remedy="Leave out --no-train, or name another --work.",
        )
    found = scores(experiment, bar, hands)
    groups = groups_of([each.relation for each in experiment.prompts], GROUP, extent.groups)
    firsts = [
        _without(found[method], method, at, group)
        for at, group in enumerate(groups)
        for method in HELD_TO_TRUTH
    ]
    ticks = ticked_groups(experiment, found[DECIDING], extent.ticked, extent.seed)
    left_out = [
        *((each.name, each.kept) for each in firsts),
        *((each.name, each.kept) for each in ticks),
    ]
    if extent.train:
        train(experiment, left_out, done, bar, hands)
    missing = {each.name for each in missed(experiment, left_out, done)}
    without = [each.row(done[each.name]) for each in firsts if each.name not in missing]
    ticked = [
        row
        for each in ticks
        if each.name not in missing
        for row in rows_of(each, found[DECIDING], done[each.name], done[EVERYTHING])
    ]
    outcome = _outcome(experiment, halves, found, without, done, command, ticked)
    write_outcome(outcome, out)
    return outcome


def _half(number: int) -> str:
    return f"part-{number:04d}"


@dataclass(frozen=True)
class _Without:
    """A training without a method's first percent for each prompt of a group."""

    name: str
    kept: np.ndarray
    method: str
    prompts: Sequence[int]

    def row(self, trained: Trained) -> dict[str, Any]:
        margins = [trained["margins"][prompt] for prompt in self.prompts]
        return {
            "method": self.method,
            "prompts": list(self.prompts),
            "margins": margins,
            "passages": trained["passages"],
        }


def _without(scored: np.ndarray, method: str, number: int, group: Sequence[int]) -> _Without:
    kept = np.ones(scored.shape[1], dtype=bool)
    for prompt in group:
        kept[first_percent(scored[prompt])] = False
    return _Without(f"without-{number:02d}-{method}", kept, method, group)


def _outcome(
    experiment: Experiment,
    halves: Halves,
    found: Scores,
    without: list[dict[str, Any]],
    done: dict[str, Trained],
    command: str,
    ticked: list[dict[str, Any]],
) -> Outcome:
    parts = sorted((int(name.removeprefix("part-")), name) for name in done if name.startswith("part-"))
    masks = (
        np.stack([halves.kept(number) for number, _ in parts]) if parts else np.zeros((0, halves.passages))
    )
    rows = [{key: value for key, value in done[name].items() if key != "margins"} for _, name in parts]
    everything = done[EVERYTHING]
    return Outcome(
        about={
            "command": command,
            "corpus_sha256": experiment.corpus,
            "only": experiment.only,
            "passages": halves.passages,
            "share": halves.share,
            "first": CANDIDATES,
            "seed": halves.seed,
            "config": asdict(experiment.config),
            "parameters": everything["parameters"],
            "projection_dim": experiment.projection_dim,
            "threads": experiment.about["threads"],
            "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
        },
        prompts=[asdict(each) for each in experiment.prompts],
        everything=np.array(everything["margins"]),
        trainings=rows,
        measured=np.array([done[name]["margins"] for _, name in parts]),
        predicted={method: masks.astype(np.float32) @ found[method].T for method in HELD_TO_TRUTH},
        by_first={
            method: masks.astype(np.float32) @ first_only(found[method]).T
            for method in HELD_TO_TRUTH
            if method not in (TWO_STAGES, RANDOM)
        },
        without=without,
        influences=influences(experiment, found[DECIDING]),
        ticked=ticked,
    )
