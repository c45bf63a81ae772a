"""Taking down: the text, its words in the search index and its copies are gone, the address says why, and it stays out.

A passage keeps its row, for rows of an index are counted by it, and its rank in rankings; what it said is gone. Everything
else goes with its row. The space on disk is given back by `give_back_space`, outside of the transaction.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Engine, Select, delete, or_, select, text, update
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.store import audit
from app.store.arriving import drop_arriving
from app.store.corpora import get_corpus
from app.store.denied import REMOVED, deny
from app.store.memory import CHANGED_RUNS
from app.store.permalinks import leave_tombstone
from app.store.runs import get_run, remove_run
from app.store.steps import of_result, of_trace
from app.store.tables import (
    Corpus,
    KeptColumn,
    KeptShare,
    Output,
    Passage,
    Prompt,
    PromptSet,
    Result,
    Retrieved,
    Run,
)
from app.store.work_tables import Job, LanePassage, Trace
from app.store.writing import write_alone

KINDS = ("passage", "prompt", "trace", "run", "corpus")
MANY = 500  # ids in one statement


def take_down(session: Session, kind: str, name: str, reason: str) -> str:
    """Take one thing down; returns its address, which tells the reason from now on.

    Args:
        kind: one of `KINDS`.
        name: a passage's or trace's id, a run's or corpus's name, a prompt as `RUN/PROMPT`.

    Raises:
        NotFound: there is none. UserError: no such kind, or no reason is given.
    """
    if not reason.strip():
        raise UserError("Say why: it is what the address will answer.", field="reason")
    how = {"passage": _passage, "prompt": _prompt, "trace": _trace, "run": _run, "corpus": _corpus}.get(kind)
    if how is None:
        raise UserError(
            f"No “{kind}” can be taken down.", field="kind", remedy=f"Name one of {', '.join(KINDS)}."
        )
    if kind in _SAID:
        _stop_imports(session, kind, name, reason)
    address = how(session, name, reason)
    leave_tombstone(session, address, reason)
    audit.record(session, "take down", address, reason=reason)
    return address


def give_back_space(engine: Engine) -> None:
    """Write the database anew without what was deleted, so that no file on disk holds it: needs room for a copy."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            for table in ("passages", "prompts", "outputs"):
                connection.execute(text(f"INSERT INTO {table}_fts({table}_fts) VALUES ('optimize')"))
            connection.execute(text("VACUUM"))
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:
            connection.execute(text("SET statement_timeout = 0"))
            for table in ("passages", "prompts", "outputs", "results", "retrieved", "traces", "jobs"):
                connection.execute(text(f"VACUUM (FULL) {table}"))


def _stop_imports(session: Session, kind: str, name: str, reason: str) -> None:
    """Say what is not let in any more before anything goes: an import that is under way may bring it, and gives up then.

    From here on nobody else writes much.
    """
    deny(session, kind, _SAID[kind](session, name), reason)
    session.commit()
    write_alone(session)
    drop_arriving(session)


def _find_passage(session: Session, name: str) -> Passage:
    row = session.get(Passage, int(name)) if name.isdecimal() and len(name) < 19 else None
    if row is None or row.text == REMOVED:
        raise NotFound(f"There is no passage {name}.", remedy="Its number stands in its address.")
    return row


def _passage(session: Session, name: str, reason: str) -> str:
    row = _find_passage(session, name)
    said = row.text
    same = session.scalars(
        select(Passage).where(Passage.text == said)
    ).all()  # it may stand in a corpus twice, and in others
    _forget_copies(session, [each.id for each in same], said)
    for each in same:
        each.text, each.roles, each.meta, each.external_id = REMOVED, None, {}, f"removed-{each.id}"
        if each is not row:
            leave_tombstone(session, f"/passages/{each.id}", reason)
    return f"/passages/{row.id}"


def _forget_copies(session: Session, ids: Sequence[int], said: str) -> None:
    """What files and models said of the passage beside its row: the stretch that entails, and fields of its records."""
    session.execute(update(Retrieved).where(Retrieved.passage_id.in_(ids)).values(ais_window=None))
    of_it = select(Retrieved.result_id).where(Retrieved.passage_id.in_(ids))
    for result in session.scalars(select(Result).where(Result.id.in_(of_it))):
        if result.extra:
            result.extra = {key: _without(value, said) for key, value in result.extra.items()}


def _without(value: object, said: str) -> object:
    """A field of a record, its copies of the text replaced."""
    if isinstance(value, str):
        return value.replace(said, REMOVED) if said else value
    if isinstance(value, list):
        return [_without(each, said) for each in value]
    return {key: _without(each, said) for key, each in value.items()} if isinstance(value, dict) else value


def _find_prompt(session: Session, name: str) -> tuple[Run, Prompt]:
    run_slug, _, slug = name.partition("/")
    run = get_run(session, run_slug)
    prompt = session.scalar(
        select(Prompt).where(Prompt.prompt_set_id == run.prompt_set_id, Prompt.slug == slug)
    )
    if prompt is None:
        raise NotFound(f"The run “{run.slug}” has no prompt “{slug}”.", remedy="Name it as RUN/PROMPT.")
    return run, prompt


def _prompt(session: Session, name: str, reason: str) -> str:
    run, prompt = _find_prompt(session, name)
    address, said = f"/runs/{run.slug}/prompts/{prompt.slug}", prompt.text
    for each in session.scalars(
        select(Prompt).where(Prompt.text == said)
    ).all():  # other sets may have it too
        _forget_prompt(session, each, reason)
    _forget_traces(session, list(session.scalars(_asking(said))), reason)
    session.info[CHANGED_RUNS] = True
    return address


def _forget_prompt(session: Session, prompt: Prompt, reason: str) -> None:
    for run in session.scalars(select(Run).where(Run.prompt_set_id == prompt.prompt_set_id)):
        leave_tombstone(session, f"/runs/{run.slug}/prompts/{prompt.slug}", reason)
        gone = session.scalars(
            select(Result.id).where(Result.run_id == run.id, Result.prompt_id == prompt.id)
        ).all()
        _forget_lanes(session, [of_result(id_) for id_ in gone])
        run.prompt_count -= len(gone)
        for kept in (KeptColumn, KeptShare):
            session.execute(delete(kept).where(kept.run_id == run.id))
    leave_tombstone(session, f"/compare/{prompt.slug}", reason)
    session.execute(delete(Output).where(Output.prompt_id == prompt.id))
    session.execute(delete(Result).where(Result.prompt_id == prompt.id))
    session.execute(delete(Prompt).where(Prompt.id == prompt.id))


def _asking(prompt: str) -> Select[str]:
    return select(Job.id).where(Job.kind == "trace", Job.request["prompt"].as_string() == prompt)


def _trace(session: Session, name: str, reason: str) -> str:
    found = session.get(Job, name) or session.get(Trace, name)
    if found is None:
        raise NotFound(f"There is no trace “{name}”.", remedy="Its id stands in its address.")
    _forget_traces(session, [name], reason)
    return f"/traces/{name}"


def _forget_traces(session: Session, ids: Sequence[str], reason: str) -> None:
    for id_ in ids:
        leave_tombstone(session, f"/traces/{id_}", reason)
        leave_tombstone(session, f"/api/traces/{id_}", reason)
    _forget_lanes(session, [of_trace(id_) for id_ in ids])
    for some in (ids[at : at + MANY] for at in range(0, len(ids), MANY)):
        session.execute(delete(Trace).where(Trace.id.in_(some)))
        session.execute(delete(Job).where(or_(Job.id.in_(some), Job.parent.in_(some))))


def _forget_lanes(session: Session, parents: Sequence[str]) -> None:
    for some in (parents[at : at + MANY] for at in range(0, len(parents), MANY)):
        session.execute(delete(LanePassage).where(LanePassage.parent.in_(some)))


def _run(session: Session, name: str, reason: str) -> str:
    run = get_run(session, name)
    ids = session.scalars(select(Result.id).where(Result.run_id == run.id)).all()
    _forget_lanes(session, [of_result(id_) for id_ in ids])
    deny(session, "run", run.slug, reason)
    remove_run(session, name, reason)
    return f"/runs/{run.slug}"


def _corpus(session: Session, name: str, reason: str) -> str:
    """With every run over it, every trace that searched it, and the prompt sets whose facts it states."""
    corpus = get_corpus(session, name)
    for slug in session.scalars(
        select(Run.slug).where(Run.corpus_id == corpus.id, Run.beside_id.is_(None))
    ).all():
        _run(session, slug, reason)
    found_in = Trace.result["provenance"]["corpus_id"].as_integer()
    _forget_traces(session, list(session.scalars(select(Trace.id).where(found_in == corpus.id))), reason)
    sets = select(PromptSet.id).where(PromptSet.corpus_id == corpus.id)
    for prompt_set in session.scalars(sets).all():
        left = session.scalar(select(Run.id).where(Run.prompt_set_id == prompt_set).limit(1))
        if left is None:
            session.execute(delete(Prompt).where(Prompt.prompt_set_id == prompt_set))
            session.execute(delete(PromptSet).where(PromptSet.id == prompt_set))
    session.execute(update(PromptSet).where(PromptSet.corpus_id == corpus.id).values(corpus_id=None))
    ids = select(Passage.id).where(Passage.corpus_id == corpus.id)
    session.execute(delete(LanePassage).where(LanePassage.passage_id.in_(ids)))
    session.execute(delete(Passage).where(Passage.corpus_id == corpus.id))
    session.execute(delete(Corpus).where(Corpus.id == corpus.id))
    return f"/corpora/{name}"


# By what each kind is known again when it comes back.
_SAID: dict[str, Callable[[Session, str], str]] = {
    "passage": lambda session, name: _find_passage(session, name).text,
    "prompt": lambda session, name: _find_prompt(session, name)[1].text,
    "run": lambda session, name: get_run(session, name).slug,
    "corpus": lambda session, name: get_corpus(session, name).sha256 or name,
}
