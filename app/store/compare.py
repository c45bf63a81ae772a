"""Questions about two to four runs side by side: the same prompt in each.

Runs of one prompt set share its prompts. Runs of different sets (two imported files of the same prompts) are
matched by the prompt's external id, and by its text, since short ids recur. In the same way a passage is the
same one if it is the same row, or, across corpora, has the same external id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from app.errors import NotFound, UserError
from app.store.runs import get_run, in_order
from app.store.tables import Output, Passage, Prompt, PromptSet, Result, Retrieved, Run
from app.words.answers import SAID

MAX_RUNS = 4


def runs_named(session: Session, slugs: Sequence[str]) -> list[Run]:
    """The runs in the order named, each with its model, corpus and prompt set.

    Raises:
        NotFound: a name is unknown.
        UserError: fewer than two, more than `MAX_RUNS`, or one twice.
    """
    if not 2 <= len(slugs) <= MAX_RUNS or len(set(slugs)) < len(slugs):
        raise UserError(
            f"{len(set(slugs))} different runs are named.",
            remedy=f"Choose 2 to {MAX_RUNS} different runs to compare.",
            field="runs",
        )
    return [get_run(session, slug) for slug in slugs]


def prompt_named(session: Session, run: Run, slug: str) -> Prompt:
    """The prompt of this name in the run's prompt set.

    Raises:
        NotFound: the set has no such prompt.
    """
    query = select(Prompt).where(Prompt.prompt_set_id == run.prompt_set_id, Prompt.slug == slug)
    prompt = None if "\0" in slug else session.scalar(query)
    if prompt is None:
        raise NotFound(f"“{run.name}” has no prompt “{slug}”.", remedy="Search for it among the prompts.")
    return prompt


def a_run_with(session: Session, slug: str, name: str | None) -> Run:
    """The run called `name`, or, if None, the first (as `list_runs` orders them) that has a prompt called `slug`.

    Raises:
        NotFound: there is none.
    """
    if name is not None:
        return get_run(session, name)
    query = (
        select(Run.slug)
        .join(Prompt, Prompt.prompt_set_id == Run.prompt_set_id)
        .where(Prompt.slug == slug, Run.beside_id.is_(None))
    )
    found = None if "\0" in slug else session.scalar(query.order_by(*in_order()).limit(1))
    if found is None:
        raise NotFound(
            f"No run has a prompt “{slug}”.", remedy="Search for it among the prompts.", field="runs"
        )
    return get_run(session, found)


def runs_with(session: Session, prompt: Prompt) -> list[Run]:
    """Every run that has a result for the prompt, or for the same prompt in another set, in the order of
    `list_runs`."""
    query = (
        select(Run)
        .join(Result, Result.run_id == Run.id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .where(
            Prompt.prompt_set_id.in_(select(PromptSet.id)),  # so that the index by set and external id serves
            Prompt.external_id == prompt.external_id,
            Prompt.text == prompt.text,
        )
        .where(Run.beside_id.is_(None))
        .order_by(*in_order())
        .options(joinedload(Run.model), joinedload(Run.prompt_set))
    )
    return list(session.scalars(query))


@dataclass(frozen=True)
class ComparedResult:
    """One run's side of a comparison: its result for the prompt, if it has one, and its model's answer.

    Args:
        shown: whose result it is: `run`, or the one beside it that explains what the model said.
    """

    run: Run
    shown: Run
    prompt: Prompt | None
    result: Result | None
    output: Output | None


def columns(
    session: Session, runs: Sequence[Run], prompt: Prompt, explains: str = SAID
) -> list[ComparedResult]:
    """The prompt's result in each of the runs, in their order. One query.

    Args:
        explains: `said`: what the model said, where that was something else than the target and all of these runs know
            it, for nothing else would be a comparison; `target`: what each run explains of all its prompts.
    """
    ids = [run.id for run in runs]
    rows = session.execute(
        select(Run, Prompt, Result, Output)
        .select_from(Result)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .join(Run, Run.id == Result.run_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == Run.model_id))
        .where(
            or_(Run.id.in_(ids), Run.beside_id.in_(ids)),
            Prompt.prompt_set_id.in_([run.prompt_set_id for run in runs]),
            Prompt.external_id == prompt.external_id,
            Prompt.text == prompt.text,
        )
    ).all()
    own = {run.id: (run, *rest) for run, *rest in rows if run.id in ids}
    said = {run.beside_id or 0: (run, *rest) for run, *rest in rows if run.id not in ids}
    if explains == SAID and all(run.id in said or run.explains == SAID for run in runs):
        own |= said
    return [ComparedResult(run, *own.get(run.id, (run, None, None, None))) for run in runs]


def ranks(session: Session, result_ids: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    """For each result its proponents' (passage id, external id) in rank order, all of them, without texts."""
    rows = session.execute(
        select(Retrieved.result_id, Retrieved.passage_id, Passage.external_id)
        .join(Passage, Passage.id == Retrieved.passage_id)
        .where(Retrieved.result_id.in_(result_ids), Retrieved.side == "proponent")
        .order_by(Retrieved.result_id, Retrieved.rank)
    )
    lists: dict[int, list[tuple[int, str]]] = {id_: [] for id_ in result_ids}
    for result_id, passage_id, external_id in rows:
        lists[result_id].append((passage_id, external_id))
    return lists


def proponents(session: Session, result_ids: Sequence[int], depth: int) -> dict[int, list[Retrieved]]:
    """For each result its first `depth` proponents in rank order, with their passages. One query."""
    rows = session.scalars(
        select(Retrieved)
        .where(Retrieved.result_id.in_(result_ids), Retrieved.side == "proponent", Retrieved.rank <= depth)
        .order_by(Retrieved.result_id, Retrieved.rank)
        .options(joinedload(Retrieved.passage))
    )
    lists: dict[int, list[Retrieved]] = {id_: [] for id_ in result_ids}
    for row in rows:
        lists[row.result_id].append(row)
    return lists


def another_with(session: Session, slug: str) -> str | None:
    """The first other run, in the order of `list_runs`, that has the first prompt of the run called `slug`, or None."""
    first = session.scalar(
        select(Prompt)
        .join(Result, Result.prompt_id == Prompt.id)
        .join(Run, Run.id == Result.run_id)
        .where(Run.slug == slug)
        .order_by(Result.position)
        .limit(1)
    )
    if first is None:
        return None
    return next((run.slug for run in runs_with(session, first) if run.slug != slug), None)
