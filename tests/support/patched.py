"""Runs whose passages can be trained on, and what was measured of them."""

from sqlalchemy import select

from app.runs.inputs import open_inputs
from app.runs.retrieve import retrieve
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Prompt, Result, Retrieved, Run
from tests.support.asking import made_home, passages, put_corpus, settings_of

NAMES = ("Mali", "Japan", "Ghana", "Peru", "Chad")
FACTS = len(NAMES)


def put_runs(store: Store, url: str, k: int = 4) -> None:
    """Runs `bm25` and `ours` over five facts and a sum.

    Args:
        url: of the store's database.
    """
    put_corpus(store)
    with store.session() as session:
        corpus = get_corpus(session, "demo")
        records = [
            PromptRecord(f"c{n}", f"The capital of {each} is", "Lima", stated_by=[passages()[n][0]])
            for n, each in enumerate(NAMES)
        ]
        records.append(PromptRecord("sum", "Two and two make", "four", task="arithmetic"))
        add_prompts(session, "asked", records, corpus=corpus)
        task = open_inputs(session, settings_of(made_home(), url), "demo", "asked")
        retrieve(session, task, "bm25", slug="bm25", k=k)
        retrieve(session, task, "trackstar", slug="ours", k=k)


def changes(store: Store, slug: str) -> dict[tuple[str, int], float]:
    """What is saved: (prompt, rank) -> tail-patch."""
    query = (
        select(Prompt.external_id, Retrieved.rank, Retrieved.tail_patch)
        .join(Result, Result.id == Retrieved.result_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .join(Run, Run.id == Result.run_id)
        .where(Run.slug == slug, Retrieved.side == "proponent", Retrieved.tail_patch.is_not(None))
    )
    with store.session() as session:
        return {(prompt, rank): change or 0 for prompt, rank, change in session.execute(query)}
