"""One output and its proponents, and what a passage was found for: a constant number of queries each.

Those that an example's page asks are written once (`_PLACES` and the like), for to write one takes longer than to ask it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from app.errors import NotFound
from app.store.denied import REMOVED
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run, Statement
from app.words.answers import SAID, TARGET
from app.words.passages import PROPONENT


@dataclass(frozen=True)
class Example:
    """One prompt of one run, with what the model answered and what was retrieved.

    Args:
        run: whose passages these are: `listed`, or the run beside it that explains what the model said.
        listed: the run in whose list the prompt stands, by whose name it is addressed.
        both: the prompt's target is explained as well as what the model said.
        retrieved: the first of each side that was asked for, proponents before opponents, in rank order.
        counts: how many the run retrieved in all, by side.
        judged: whether somebody said of its passages if they state the fact.
    """

    run: Run
    listed: Run
    both: bool
    result: Result
    prompt: Prompt
    output: Output | None
    retrieved: Sequence[Retrieved]
    counts: Mapping[str, int]
    judged: bool

    @property
    def asked(self) -> str:
        """How it stands in the URL what is explained: not at all if it is what the page opens on."""
        return TARGET if self.both and self.run.id == self.listed.id else ""

    def on(self, side: str) -> list[Retrieved]:
        """The passages of one side."""
        return [row for row in self.retrieved if row.side == side]


@dataclass(frozen=True)
class Story:
    """One prompt with the first passages of two runs."""

    prompt: Prompt
    output: Output | None
    firsts: tuple[Retrieved, Retrieved]


@cache
def first_judged() -> ColumnElement[bool]:
    """Whether somebody said of a `Result`'s first proponent if it states the fact; found by its key."""
    return exists().where(
        Retrieved.result_id == Result.id,
        Retrieved.side == PROPONENT,
        Retrieved.rank == 1,
        Retrieved.correct.is_not(None),
    )


@cache
def judged() -> ColumnElement[bool]:
    """Whether anybody judged if the proponents of a `Result` state the fact: by hand, or by an AIS score."""
    return or_(Result.best_ais.is_not(None), first_judged())


def _places(order: ColumnElement[bool]) -> Select[Result, Prompt, Output, bool, Run]:
    """A prompt in a `run` of a `model` and in the one beside it."""
    return (
        select(Result, Prompt, Output, judged(), Run)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == bindparam("model")))
        .where(or_(Run.id == bindparam("run"), Run.beside_id == bindparam("run")))
        .where(Prompt.prompt_set_id == bindparam("prompt_set"), Prompt.slug == bindparam("slug"))
        .order_by(order)
    )


_PLACES = {SAID: _places(Run.beside_id.is_(None)), TARGET: _places(Run.beside_id.is_not(None))}
_FIRST_RETRIEVED = (
    select(Retrieved)
    .where(
        Retrieved.result_id == bindparam("result"),
        Retrieved.side.in_(bindparam("sides", expanding=True)),
        Retrieved.rank <= bindparam("limit"),
    )
    .options(joinedload(Retrieved.passage))
    .order_by(Retrieved.side.desc(), Retrieved.rank)
)
_COUNTS = (
    select(Retrieved.side, func.count())
    .where(Retrieved.result_id == bindparam("result"))
    .group_by(Retrieved.side)
)


def get_example(
    session: Session, run: Run, slug: str, *sides: str, limit: int, explains: str = SAID
) -> Example:
    """The prompt called `slug` in the run, with its first `limit` passages of each of these sides.

    Args:
        explains: `said`: what the model said, where that was something else than the target and the run knows both;
            `target`: what the run explains of all its prompts.

    Raises:
        NotFound: the run has no such prompt.
    """
    asked = {"run": run.id, "model": run.model_id, "prompt_set": run.prompt_set_id, "slug": slug}
    places = [] if "\0" in slug else session.execute(_PLACES[explains], asked).all()
    found = places[0] if places else None
    if found is None:
        raise NotFound(
            f"The run “{run.name}” has no prompt “{slug}”.", remedy="Browse its prompts, or search for one."
        )
    of_result = {"result": found[0].id}
    rows = session.scalars(_FIRST_RETRIEVED, of_result | {"sides": sides, "limit": limit}).all()
    return Example(
        run=found[4],
        listed=run,
        both=len(places) > 1,
        result=found[0],
        prompt=found[1],
        output=found[2],
        retrieved=rows,
        counts=dict(session.execute(_COUNTS, of_result).all()),
        judged=found[3],
    )


_STEPS = (
    select(Run, Retrieved)
    .join(Result, Result.run_id == Run.id)
    .join(Retrieved, Retrieved.result_id == Result.id)
    .where(
        Result.prompt_id == bindparam("prompt"),
        Run.model_id == bindparam("model"),
        Run.corpus_id == bindparam("corpus"),
        Run.explains == bindparam("explains"),
        Retrieved.rank <= bindparam("depth"),
        Retrieved.tail_patch.is_not(None),
    )
    .order_by(Run.id, Retrieved.side, Retrieved.rank)
)


def measured_steps(
    session: Session, prompt_id: int, run: Run, *, depth: int
) -> list[tuple[Run, Sequence[Retrieved]]]:
    """What one training step on the first `depth` passages of each run did to what the run explains; no texts.

    Of the run's model and corpus only, for other steps do not compare; a run and side at a time, in rank order.
    """
    asked = {"prompt": prompt_id, "model": run.model_id, "corpus": run.corpus_id, "explains": run.explains}
    rows = session.execute(_STEPS, asked | {"depth": depth}).all()
    grouped = groupby(rows, key=lambda row: (row[0].id, row[1].side))
    lists = [list(group) for _, group in grouped]
    return [(group[0][0], [row[1] for row in group]) for group in lists]


_OTHER_SUBJECTS = (
    select(Statement.passage_id, Prompt.subject)
    .join(Prompt, Prompt.id == Statement.prompt_id)
    .where(
        Statement.passage_id.in_(bindparam("passages", expanding=True)),
        Prompt.relation == bindparam("relation"),
        Prompt.subject.is_not(None),
        Prompt.subject != bindparam("subject"),
    )
    .order_by(Prompt.id.desc())
)


def other_subjects(session: Session, prompt: Prompt, passages: Sequence[int]) -> dict[int, str]:
    """By passage, whose fact of the same relation it states: of several the first; none of the prompt's own."""
    if not prompt.relation or not passages:
        return {}
    asked = {"passages": passages, "relation": prompt.relation, "subject": prompt.subject or ""}
    return {passage_id: subject or "" for passage_id, subject in session.execute(_OTHER_SUBJECTS, asked)}


_FOUND_FOR = (
    select(Retrieved.passage_id, func.count())
    .join(Result, Result.id == Retrieved.result_id)
    .where(
        Result.run_id == bindparam("run"),
        Retrieved.side == PROPONENT,
        Retrieved.passage_id.in_(bindparam("passages", expanding=True)),
    )
    .group_by(Retrieved.passage_id)
)


def found_for_counts(session: Session, run_id: int, passages: Sequence[int]) -> dict[int, int]:
    """For each passage, how many prompts of the run it is a proponent of."""
    return dict(session.execute(_FOUND_FOR, {"run": run_id, "passages": passages}).all())


def get_passage(session: Session, id_: int) -> Passage:
    """The passage with its corpus.

    Raises:
        NotFound: there is none, or it was taken down.
    """
    passage = session.get(Passage, id_, options=[joinedload(Passage.corpus)]) if abs(id_) < 1 << 62 else None
    if passage is None or passage.text == REMOVED:
        raise NotFound(f"There is no passage {id_}.", remedy="Search for words it contains.")
    return passage


def found_for(
    session: Session, passage_id: int, *, run: str = "", offset: int = 0, limit: int = 50
) -> list[tuple[Retrieved, Run, Prompt, Output | None]]:
    """Where the passage was retrieved, on either side, and what the run's model answered there: best ranks first."""
    query = (
        select(Retrieved, Run, Prompt, Output)
        .join(Result, Result.id == Retrieved.result_id)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == Run.model_id))
        .where(Retrieved.passage_id == passage_id)
        .order_by(Retrieved.side.desc(), Retrieved.rank, Run.id, Prompt.id)
        .offset(offset)
        .limit(limit)
    )
    if run:
        query = query.where(Run.slug == run)
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(query)]


def found_for_by_run(session: Session, passage_id: int) -> list[tuple[Run, int]]:
    """The runs in which the passage was retrieved, and for how many prompts."""
    counted = (
        select(Result.run_id, func.count().label("n"))
        .join(Retrieved, Retrieved.result_id == Result.id)
        .where(Retrieved.passage_id == passage_id)
        .group_by(Result.run_id)
        .subquery()
    )
    query = select(Run, counted.c.n).join(counted, counted.c.run_id == Run.id).order_by(Run.id)
    return [(row[0], row[1]) for row in session.execute(query)]


def stated_facts(session: Session, passage_id: int, limit: int = 20) -> Sequence[Prompt]:
    """The prompts whose fact the passage states."""
    query = (
        select(Prompt)
        .join(Statement, Statement.prompt_id == Prompt.id)
        .where(Statement.passage_id == passage_id)
        .order_by(Prompt.id)
        .limit(limit)
    )
    return session.scalars(query).all()


def find_story(session: Session, influence: Run, attribution: Run) -> Story | None:
    """The prompt that tells best why two runs over the same prompts differ.

    A fact the model gets right where the second run's first passage states it and the first run's does not, or is
    at least another passage; of those, the one whose two passages' tail-patches are furthest apart.
    """
    first, second = aliased(Retrieved), aliased(Retrieved)
    ours, theirs = aliased(Result), aliased(Result)
    apart = func.coalesce(first.tail_patch, 0.0) - func.coalesce(second.tail_patch, 0.0)
    query = (
        select(Prompt, Output, first, second)
        .join(ours, and_(ours.prompt_id == Prompt.id, ours.run_id == influence.id))
        .join(theirs, and_(theirs.prompt_id == Prompt.id, theirs.run_id == attribution.id))
        .join(first, and_(first.result_id == ours.id, first.side == "proponent", first.rank == 1))
        .join(second, and_(second.result_id == theirs.id, second.side == "proponent", second.rank == 1))
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == influence.model_id))
        .where(first.passage_id != second.passage_id, second.correct.is_(True), Output.correct.is_(True))
        .order_by(
            Prompt.task != "fact", apart.desc(), first.correct.is_(True), Output.probability.desc(), Prompt.id
        )
        .options(joinedload(first.passage), joinedload(second.passage))
        .limit(1)
    )
    row = session.execute(query).first()
    return Story(row[0], row[1], (row[2], row[3])) if row else None
