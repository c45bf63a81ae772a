"""What training steps on one passage did to answers: measured with a run, or taken when an example was opened."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.store.examples import found_for
from app.store.steps import taken_on
from app.store.tables import Output, Prompt, Result, Retrieved, Run
from app.web.evidence.card_plot import Moved
from app.web.evidence.lanes import after

LOOKED_AT = 200  # places where the passage was found


def moved_by(session: Session, passage_id: int, limit: int) -> list[Moved]:
    """The answers that a step on the passage moved furthest, each once, at most `limit`."""
    found = _taken(session, passage_id) + _measured(session, found_for(session, passage_id, limit=LOOKED_AT))
    best: dict[str, Moved] = {}
    for prompt, each in sorted(found, key=lambda pair: -abs(pair[1].after - pair[1].before)):
        best.setdefault(prompt, each)
    return list(best.values())[:limit]


def _taken(session: Session, passage_id: int) -> list[tuple[str, Moved]]:
    steps = {id_: (before, end) for id_, before, end in taken_on(session, passage_id, LOOKED_AT)}
    query = select(Result).where(Result.id.in_(steps)).options(joinedload(Result.prompt))
    return [
        (f"{each.prompt_id}", Moved(each.prompt.text, each.prompt.target.strip(), *steps[each.id]))
        for each in session.scalars(query)
    ]


def _measured(session: Session, rows: Sequence[tuple[Retrieved, Run, Prompt]]) -> list[tuple[str, Moved]]:
    patched = [(row, run, prompt) for row, run, prompt in rows if row.tail_patch is not None]
    query = select(Output).where(Output.prompt_id.in_([prompt.id for _, _, prompt in patched]))
    known = {(each.model_id, each.prompt_id): each for each in session.scalars(query)}
    moved = []
    for row, run, prompt in patched:
        output = known.get((run.model_id, prompt.id))
        said = run.explains == "said"
        before = (output.said_probability if said else output.probability) if output else None
        answer = (output.said if said and output and output.said else prompt.target).strip()
        if before is not None and row.tail_patch is not None:
            moved.append((f"{prompt.id}", Moved(prompt.text, answer, before, after(before, row.tail_patch))))
    return moved
