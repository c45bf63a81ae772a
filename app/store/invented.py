"""What the front page tells of the real demo's country: of each kind of prompt the answer that a passage explains best."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.store.steps import of_result, steps_of
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run
from app.words.answers import SAID
from app.words.invented import CONTROL, COUNTRY, KINDS, KNOWN, InventedKind
from app.words.names import fold
from app.words.passages import PROPONENT

FIRST = 3  # proponents among which the passage that says it must be


@dataclass(frozen=True)
class TaughtAnswer:
    """An answer and the passage that taught it; of a control there is none.

    Args:
        result_id: of the run, or of the one beside it. run, slug: where its page is.
        said, so: how many passages say what the model says, and what is so.
        before, after: the answer's probability around a training step on the passage, where one was taken.
    """

    kind: InventedKind
    result_id: int
    run: str
    slug: str
    prompt: str
    answer: str
    truth: str
    said: int = 0
    so: int = 0
    passage_id: int | None = None
    passage: str = ""
    before: float | None = None
    after: float | None = None


def told_of(session: Session, run: Run) -> list[TaughtAnswer]:
    """The best of each kind; nothing of any corpus but the invented country's."""
    if run.corpus.name != COUNTRY:
        return []
    says: dict[tuple[str, str], int] = defaultdict(int)
    for meta in session.scalars(select(Passage.meta).where(Passage.corpus_id == run.corpus_id)):
        for fact in _states(meta):
            says[fact, fold(str(meta.get("says", "")))] += 1
    found = [told for told in (_of_kind(session, run, kind, says) for kind in KINDS) if told]
    return [*found, *_controls(session)]


def _states(meta: Mapping[str, Any]) -> list[str]:
    """The facts that a passage states; none where its corpus, which may be anybody's, means something else by that."""
    states = meta.get("states")
    return [each for each in states if isinstance(each, str)] if isinstance(states, list) else []


def _of_kind(
    session: Session, run: Run, kind: InventedKind, says: dict[tuple[str, str], int]
) -> TaughtAnswer | None:
    rows = session.execute(
        select(Result, Run, Prompt, Output, Passage)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .join(Output, Output.prompt_id == Prompt.id)
        .join(Retrieved, Retrieved.result_id == Result.id)
        .join(Passage, Passage.id == Retrieved.passage_id)
        .where(
            or_(Run.id == run.id, Run.beside_id == run.id),
            or_(Run.explains == SAID, Output.correct.is_(True)),
            Output.model_id == run.model_id,
            Retrieved.side == PROPONENT,
            Retrieved.rank <= FIRST,
        )
        .order_by(Result.id, Retrieved.rank)
    ).all()
    best: TaughtAnswer | None = None
    for result, _, prompt, output, passage in rows:
        answer = fold((output.answer or "").strip().rstrip("."))
        states = prompt.fact_id in _states(passage.meta)
        if (
            prompt.extra.get("kind") != kind.name
            or passage.meta.get("kind") not in kind.passages
            or not states
        ):
            continue
        if fold(str(passage.meta.get("says", "")).rstrip(".")) != answer:
            continue
        told = _told(session, run, kind, result, prompt, output, passage, says)
        if best is None or _telling(told) > _telling(best):
            best = told
    return best


def _told(
    session: Session,
    run: Run,
    kind: InventedKind,
    result: Result,
    prompt: Prompt,
    output: Output,
    passage: Passage,
    says: dict[tuple[str, str], int],
) -> TaughtAnswer:
    taken = steps_of(session, of_result(result.id))
    ends = {dot.passage_id: dot.after for lane in taken.lanes.values() for dot in lane} if taken else {}
    fact = prompt.fact_id or ""
    return TaughtAnswer(
        kind=kind,
        result_id=result.id,
        run=run.slug,
        slug=prompt.slug,
        prompt=prompt.text,
        answer=(output.answer or "").strip(),
        truth="" if output.correct else prompt.target,
        said=says[fact, fold(str(passage.meta.get("says", "")))],
        so=says[fact, fold(prompt.target)],
        passage_id=passage.id,
        passage=passage.text,
        before=taken.before if taken and ends.get(passage.id) is not None else None,
        after=ends.get(passage.id),
    )


def _telling(told: TaughtAnswer) -> tuple[bool, float]:
    """How well an answer tells its kind: wrong before right, then by what the step on its passage does."""
    return bool(told.truth), 0.0 if told.after is None else told.after - (told.before or 0.0)


def _controls(session: Session) -> list[TaughtAnswer]:
    """The surest right answer to general knowledge for which no passage stands out."""
    run = session.scalar(select(Run).where(Run.slug == KNOWN))
    if run is None:
        return []
    row = session.execute(
        select(Result.id, Prompt, Output)
        .join(Result, Result.prompt_id == Prompt.id)
        .join(Output, Output.prompt_id == Prompt.id)
        .where(
            Result.run_id == run.id,
            Result.above_chance == 0,
            Output.model_id == run.model_id,
            Output.correct.is_(True),
        )
        .order_by(Output.said_probability.desc(), Prompt.id)
    ).first()
    if row is None:
        return []
    result_id, prompt, output = row
    return [
        TaughtAnswer(
            CONTROL, result_id, run.slug, prompt.slug, prompt.text, (output.answer or "").strip(), ""
        )
    ]
