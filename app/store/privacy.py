"""What is private is hidden in every question that a reader's session asks, so that no page has to remember it.

A run or corpus is `public`, `unlisted` (whoever has its secret link, or is signed in) or `private` (whoever is signed in);
a corpus that is not whole yet is hidden from everybody, and what an import has brought of a run that is not whole from
commands and workers too.
A corpus hides its passages, and every run over it; a run hides its results and the prompts that no other run shows. A
trace is listed or not, or `private`: then only who asked it and admins see it. Hidden things look as if they were not there.
"""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import JSON, Connection, event, literal, or_, select, type_coerce, union_all
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker, with_loader_criteria

from app.store.readers import ADDING, PRIVATE, PUBLIC, READER, Visitor
from app.store.tables import Corpus, Evaluation, Model, Passage, Prompt, PromptSet, Result, Run
from app.store.work_tables import Arriving, Job, Trace

_HIDDEN = "hidden"
ARRIVES = "arrives"  # in the info of a session that brings what is hidden from all others, or takes it away
_ARRIVING = select(Arriving.__table__).where(Arriving.run_id.is_not(None))


def watch(sessions: sessionmaker[Session]) -> None:
    """Hide from every session of these what its reader may not see."""
    event.listen(sessions, "do_orm_execute", _hide)


def _hide(state: ORMExecuteState) -> None:
    if not state.is_select or state.is_column_load or state.execution_options.get("reader_sees_everything"):
        return
    known, reader = state.session.info, READER.get()
    if known.get(ARRIVES):
        return
    if (
        _HIDDEN not in known or known["reader"] is not reader
    ):  # a session may outlive the request it was opened for
        known["reader"] = reader
        known[_HIDDEN] = _criteria(state.session, reader)
    if known[_HIDDEN]:
        state.statement = state.statement.options(*known[_HIDDEN])


def _criteria(session: Session, reader: Visitor | None) -> list[Any]:
    found = _not_arrived(session)
    if reader is None:
        return found
    return found + ([] if reader.may("admin") else _asked(reader)) + _not_for_all(session, reader)


def _not_arrived(session: Session) -> list[Any]:
    """Criteria that leave out what an import has brought so far. PostgreSQL shows nobody a transaction that is not over."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return []
    found: list[Any] = []
    for each in connection.execute(_ARRIVING):
        found += _rows_of(
            each.run_id, each.corpus_id, each.passages_from, each.prompt_set_id, each.prompts_from
        )
        found += _parents(each.made, each.corpus_id, each.prompt_set_id, each.model_id)
    return found


# A function is known again by its place in the code, so each condition has one of its own.
def _rows_of(run: int, corpus: int, passages: int, prompt_set: int, prompts: int) -> list[Any]:
    return [
        _only(Run, lambda cls: cls.id != run),
        _only(Result, lambda cls: cls.run_id != run),
        _only(Passage, lambda cls: or_(cls.corpus_id != corpus, cls.position < passages)),
        _only(Prompt, lambda cls: or_(cls.prompt_set_id != prompt_set, cls.position < prompts)),
    ]


def _parents(made: Collection[str], corpus: int, prompt_set: int, model: int) -> list[Any]:
    criteria = {
        Corpus: _only(Corpus, lambda cls: cls.id != corpus),
        PromptSet: _only(PromptSet, lambda cls: cls.id != prompt_set),
        Model: _only(Model, lambda cls: cls.id != model),
    }
    return [condition for table, condition in criteria.items() if table.__tablename__ in made]


def _asked(reader: Visitor) -> list[Any]:
    """Private traces are those of who asked. No stored asker is empty, so nobody's are nobody's."""
    asker = reader.asker
    return [
        _only(table, lambda cls: or_(cls.visibility != PRIVATE, cls.asker == asker)) for table in (Job, Trace)
    ]


def _not_for_all(session: Session, reader: Visitor) -> list[Any]:
    """Criteria for corpora that are not whole, and for the runs and corpora that need a name or a secret link, with what
    belongs to them."""
    connection = session.connection()
    runs, corpora = Run.__table__.c, Corpus.__table__.c
    marked = connection.execute(
        union_all(
            select(literal("run"), runs.id, runs.visibility, runs.secret).where(runs.visibility != PUBLIC),
            select(literal("corpus"), corpora.id, corpora.visibility, corpora.secret).where(
                corpora.visibility != PUBLIC
            ),
        )
    ).all()
    unfinished = {id_ for _, id_, shown, _ in marked if shown == ADDING}
    not_whole = _without_corpora(unfinished) if unfinished else []
    closed = [
        (kind, id_)
        for kind, id_, shown, secret in marked
        if shown != ADDING and (secret is None or secret not in reader.keys)
    ]
    if reader.signed_in or not closed:
        return not_whole
    of_corpora = {id_ for kind, id_ in closed if kind == "corpus"}
    return not_whole + _belonging(connection, {id_ for kind, id_ in closed if kind == "run"}, of_corpora)


def _without_corpora(ids: set[int]) -> list[Any]:
    """Criteria that leave out these corpora and their passages."""
    return [
        _only(Corpus, lambda cls: cls.id.not_in(ids)),
        _only(Passage, lambda cls: cls.corpus_id.not_in(ids)),
    ]


def _belonging(connection: Connection, closed: set[int], corpora: set[int]) -> list[Any]:
    """Criteria that leave out these runs and corpora, and all that is there through them alone."""
    runs, sets, traces = Run.__table__.c, PromptSet.__table__.c, Trace.__table__.c
    known = connection.execute(select(runs.id, runs.corpus_id, runs.prompt_set_id, runs.beside_id)).all()
    hidden = closed | {run.id for run in known if run.corpus_id in corpora}
    hidden |= {run.id for run in known if run.beside_id in hidden}
    shown_sets = {run.prompt_set_id for run in known if run.id not in hidden}
    of_corpora = connection.scalars(select(sets.id).where(sets.corpus_id.in_(corpora)))
    hidden_sets = ({run.prompt_set_id for run in known} | set(of_corpora)) - shown_sets
    # Functions of the class, for a plain condition would name the table where a query has given it another name.
    criteria = [
        _only(Run, lambda cls: cls.id.not_in(hidden)),
        _only(Result, lambda cls: cls.run_id.not_in(hidden)),
        _only(Evaluation, lambda cls: cls.run_id.not_in(hidden)),
        _only(Prompt, lambda cls: cls.prompt_set_id.not_in(hidden_sets)),
        _only(PromptSet, lambda cls: cls.id.not_in(hidden_sets)),
    ]
    if corpora:
        found_in = type_coerce(traces.result, JSON)["provenance"]["corpus_id"].as_integer()
        asked = list(connection.scalars(select(traces.id).where(found_in.in_(corpora))))
        criteria += [
            *_without_corpora(corpora),
            _only(Trace, lambda cls: cls.id.not_in(asked)),
            _only(Job, lambda cls: cls.id.not_in(asked)),
        ]
    return criteria


def _only(entity: type[Any], condition: Callable[[Any], Any]) -> Any:
    return with_loader_criteria(entity, condition, include_aliases=True)
