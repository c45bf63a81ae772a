"""Where two runs differ most: the prompts that both have, by how many of their first passages both found.

Of a prompt to which the model said something else than its target, the lists compared are those behind what it said, where
both runs have them: those that its page opens on (`app.store.compare.columns`, which also says what makes two prompts or
two passages the same).
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, not_, or_, select
from sqlalchemy.orm import Session, aliased

from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run
from app.words.answers import SAID, TARGET

DEPTH = 10  # ranks compared when counting what two runs share
MAX_PROMPTS = 20_000  # no further than this into a run is read


@dataclass(frozen=True)
class Difference:
    """One prompt in two runs: how many of the first `DEPTH` passages both have, of how many the longer list has
    there, and where each first finds the fact stated.

    Args:
        explains: whether the lists are those behind what the model `said`, or behind the `target`.
        output: of the first run's model.
    """

    prompt: Prompt
    output: Output | None
    explains: str
    position: int
    shared: int
    of: int
    overlap: int  # percent, rounded down
    first_correct_a: int | None
    first_correct_b: int | None


def differences(
    session: Session, a: Run, b: Run, *, after: tuple[int, int] | None = None, limit: int = 50
) -> list[Difference]:
    """Prompts for which both runs retrieved something, those that share least first, then in the first run's order.

    Args:
        after: (overlap, position) of the last row of the page before.
    """
    pairs = _pairs(a, b)
    query = (
        select(pairs, Prompt, Output)
        .join(Prompt, Prompt.id == pairs.c.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == a.model_id))
        .order_by(pairs.c.overlap, pairs.c.position)
        .limit(limit)
    )
    if after is not None:
        query = query.where(
            or_(pairs.c.overlap > after[0], and_(pairs.c.overlap == after[0], pairs.c.position > after[1]))
        )
    found = []
    for row in session.execute(query).mappings():
        own = {column.name: row[column.name] for column in pairs.c if column.name != "prompt_id"}
        found.append(Difference(prompt=row[Prompt], output=row[Output], **own))
    return found


def overlaps(session: Session, a: Run, b: Run) -> dict[int, int]:
    """How many prompts have each overlap, in percent."""
    pairs = _pairs(a, b)
    rows = session.execute(select(pairs.c.overlap, func.count()).group_by(pairs.c.overlap))
    return dict(sorted(rows.all()))


def _said(run: Run) -> Any:
    """The run whose lists are of what the model said: itself or the one beside it; null where there is none."""
    if run.explains == SAID:
        return literal(run.id)
    return select(Run.id).where(Run.beside_id == run.id).limit(1).scalar_subquery()


def _pairs(a: Run, b: Run) -> Any:
    """The columns of `Difference` over the prompts both runs have, as a subquery."""
    first, second = aliased(Result), aliased(Result)
    own, other = aliased(Prompt), aliased(Prompt)
    said_a, said_b = _said(a), _said(b)
    of_said = and_(first.run_id == said_a, second.run_id == said_b)
    of_both = and_(first.run_id == a.id, second.run_id == b.id)
    known = and_(_has(said_a, first), _has(said_b, second))
    query = (
        select(
            own.id.label("prompt_id"),
            case((of_said, SAID), else_=TARGET).label("explains"),
            first.position,
            _shared(first, second, same_corpus=a.corpus_id == b.corpus_id).label("shared"),
            _length(first).label("a"),
            _length(second).label("b"),
            first.first_correct_rank.label("first_correct_a"),
            second.first_correct_rank.label("first_correct_b"),
        )
        .join(own, own.id == first.prompt_id)
        .where(or_(of_said, and_(of_both, not_(known))))
        .where(first.run_id.in_([a.id, said_a]), second.run_id.in_([b.id, said_b]))
        .where(first.position < MAX_PROMPTS)
    )
    if a.prompt_set_id == b.prompt_set_id:
        query = query.join(second, second.prompt_id == first.prompt_id)
    else:
        twins = and_(
            other.prompt_set_id == b.prompt_set_id,
            other.external_id == own.external_id,
            other.text == own.text,
        )
        query = query.join(other, twins).join(second, second.prompt_id == other.id)
    raw = query.subquery()
    of = case((raw.c.a > raw.c.b, raw.c.a), else_=raw.c.b)
    counted = [column for column in raw.c if column.name not in ("a", "b")]
    return (
        select(*counted, of.label("of"), (raw.c.shared * 100 // of).label("overlap"))
        .where(raw.c.a > 0, raw.c.b > 0)
        .subquery()
    )


def _has(run_id: Any, result: Any) -> ColumnElement[bool]:
    """Whether the run has a result for the prompt of this one."""
    twin = aliased(Result)
    return exists().where(twin.run_id == run_id, twin.prompt_id == result.prompt_id)


def _length(result: Any) -> ColumnElement[int]:
    """How many of the first `DEPTH` ranks the result fills."""
    query = select(func.count()).where(
        Retrieved.result_id == result.id, Retrieved.side == "proponent", Retrieved.rank <= DEPTH
    )
    return query.correlate(result).scalar_subquery()


def _shared(first: Any, second: Any, *, same_corpus: bool) -> ColumnElement[int]:
    x, y = aliased(Retrieved), aliased(Retrieved)
    query = select(func.count(func.distinct(x.passage_id))).where(
        x.result_id == first.id,
        y.result_id == second.id,
        *(side for r in (x, y) for side in (r.side == "proponent", r.rank <= DEPTH)),
    )
    if same_corpus:
        query = query.where(x.passage_id == y.passage_id)
    else:
        px, py = aliased(Passage), aliased(Passage)
        query = query.where(px.id == x.passage_id, py.id == y.passage_id, px.external_id == py.external_id)
    return query.correlate(first, second).scalar_subquery()
