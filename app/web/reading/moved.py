"""What training steps on one passage did to answers: measured with a run, or taken when an example was opened."""

from collections.abc import Sequence

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.store.examples import found_for
from app.store.steps import taken_on
from app.store.tables import Output, Prompt, Result, Retrieved, Run
from app.tracing.explained import asked_of, said_otherwise
from app.web.evidence.answered import probability_of
from app.web.evidence.card_plot import Moved
from app.web.evidence.lanes import after
from app.web.site import urls
from app.words.answers import TARGET
from app.words.chat_text import spoken

Influenced = tuple[Retrieved, Run, Prompt, Output | None]
LOOKED_AT = 200  # places where the passage was found


def moved_by(session: Session, passage_id: int, limit: int) -> list[Moved]:
    """The answers that a step on the passage moved furthest, each once, at most `limit`."""
    found = _taken(session, passage_id) + _measured(found_for(session, passage_id, limit=LOOKED_AT))
    best: dict[str, Moved] = {}
    for prompt, each in sorted(found, key=lambda pair: -abs(pair[1].after - pair[1].before)):
        best.setdefault(prompt, each)
    return list(best.values())[:limit]


def _taken(session: Session, passage_id: int) -> list[tuple[str, Moved]]:
    steps = {id_: (before, end) for id_, before, end in taken_on(session, passage_id, LOOKED_AT)}
    query = (
        select(Result.id, Run, Prompt, Output)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == Run.model_id))
        .where(Result.id.in_(steps))
    )
    return [_moved(run, prompt, output, *steps[id_]) for id_, run, prompt, output in session.execute(query)]


def _measured(rows: Sequence[Influenced]) -> list[tuple[str, Moved]]:
    moved = []
    for row, run, prompt, output in rows:
        before = probability_of(run.explains, output)
        if before is not None and row.tail_patch is not None:
            moved.append(_moved(run, prompt, output, before, after(before, row.tail_patch)))
    return moved


def _moved(run: Run, prompt: Prompt, output: Output | None, before: float, end: float) -> tuple[str, Moved]:
    answer = asked_of(run.explains, prompt, output).explained.strip()
    other = run.explains == TARGET and said_otherwise(prompt, output)  # the page opens on what was said
    url = urls.example(run.slug, prompt.slug, explains=TARGET if other else "")
    return f"{prompt.id} {answer}", Moved(spoken(prompt.text), answer, before, end, url)
