"""Things that are not for everybody, in a store beside things that are: a corpus, runs and traces.

Every text of theirs holds `MARK`, and `ONLY`, a word to search by; nothing else does.
"""

from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.store import tokens
from app.store.base import now
from app.store.corpora import PassageRecord, add_corpus, get_corpus, stream_passages
from app.store.models import get_model, put_outputs
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.readers import SCOPES
from app.store.showing import show
from app.store.tables import Corpus, Passage, Result, Retrieved, Run, Statement
from app.store.work_tables import Job, LanePassage, StepSet, StepTaken, Trace
from tests.support.hostile import answered_trace
from tests.support.seeded import add_run

MARK, ONLY = "xyzzymark", "quuxword"
HIDDEN_RUNS = ("vault", "attic", "link")


@dataclass(frozen=True)
class Vault:
    """What stands in the addresses of hidden things, and who may open them."""

    passages: list[str]
    prompts: list[str]
    traces: list[str]  # the first is of the hidden corpus, the second private
    secret: str  # of the link to the run `link`
    tokens: dict[str, str]  # by scope

    def bearer(self, role: str) -> dict[str, str]:
        """Headers of a role; of nobody, none."""
        return {"Authorization": f"Bearer {self.tokens[role]}"} if role in self.tokens else {}


def fill_vault(session: Session) -> Vault:
    """Put it beside what `seeded.fill` made."""
    public = get_corpus(session, "demo")
    vault = add_corpus(session, "vault", [PassageRecord(f"v{n}", _text(f"passage {n}")) for n in range(3)])
    vault.description = _text("corpus")
    ids = [id_ for id_, _, _ in stream_passages(session, vault.id)]
    of_all = list(session.scalars(select(Passage.id).where(Passage.corpus_id == public.id).limit(3)))
    slugs = [*_run(session, "vault", vault, ids), *_run(session, "attic", public, of_all)]
    slugs += _run(session, "link", public, of_all)
    traces = [
        answered_trace(session, ids[0], _text("asked"), vault.id),
        answered_trace(session, of_all[0], _text("asked too"), public.id),
    ]
    for row in (session.get_one(Job, traces[1]), session.get_one(Trace, traces[1])):
        _close(row)
    show(session, "corpus", "vault", "private")
    show(session, "run", "attic", "private")
    secret = show(session, "run", "link", "unlisted")
    assert secret is not None
    made: dict[str, str] = {scope: tokens.add(session, scope, [scope], expires_at=None) for scope in SCOPES}
    return Vault([str(id_) for id_ in ids], slugs, traces, secret, made)


def _run(session: Session, name: str, corpus: Corpus, passages: list[int]) -> list[str]:
    """A run over a prompt set of its own, with outputs, statements, steps that were taken, and metrics."""
    records = [PromptRecord(f"{name}{n}", _text(f"{name} {n}"), f" {MARK}", relation=MARK) for n in range(2)]
    prompt_set = add_prompts(session, name, records, corpus=corpus)
    prompts = list_prompts(session, prompt_set.id)
    model = get_model(session, "demo-4m")
    outputs = [{"prompt_id": p.id, "answer": MARK, "correct": False, "probability": 0.2} for p in prompts]
    put_outputs(session, model.id, outputs)
    run: Run = add_run(session, "trackstar", f"{name} {MARK}", model, corpus, prompt_set, 2, slug=name)
    taken = StepSet(key=name, before=0.2, settings={}, created_at=now())
    session.add(taken)
    for position, prompt in enumerate(prompts):
        result = Result(run_id=run.id, prompt_id=prompt.id, position=position, top_score=1.0, extra={})
        session.add(result)
        session.flush()
        rows = [
            {"result_id": result.id, "side": "proponent", "rank": rank, "passage_id": id_, "tail_patch": 9.0}
            for rank, id_ in enumerate(passages, 1)
        ]
        session.execute(insert(Retrieved), rows)
        session.add(Statement(prompt_id=prompt.id, passage_id=passages[0]))
        lanes = [
            LanePassage(parent=f"result:{result.id}", lane="for", rank=rank, passage_id=id_, set_id=taken.id)
            for rank, id_ in enumerate(passages, 1)
        ]
        session.add_all(lanes)
    session.add_all(StepTaken(set_id=taken.id, passage_id=id_, after=0.9) for id_ in passages)
    session.flush()
    return [prompt.slug for prompt in prompts]


def _close(row: Job | Trace) -> None:
    row.visibility, row.asker = "private", "cookie:somebody"


def _text(what: str) -> str:
    return f"The {ONLY} {what} of {MARK} is kept"
