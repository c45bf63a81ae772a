"""Search means the same on both databases: every word, whatever its case, accents or neighbours."""

import pytest
from sqlalchemy import delete, func, select, text, update

from app.store import full_text
from app.store.browse import Filters, count
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.models import put_outputs, register_model
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.tables import Passage, Prompt, Result, Run

TEXTS = {
    "paris": "Jacques-Louis David was born in Paris; he died in Brussels.",
    "accents": "São Paulo, Zürich and the CAFÉ of Besançon",
    "decomposed": "the cafe\u0301 around the corner",
    "code": "foo_bar/baz.qux@example.com costs -12.50$ (really)",
    "numbers": "7 plus 5 equals 12",
    "russian": "Москва — столица России",
    "hindi": "हिन्दी भाषा",
    "hostile": "null\0byte and lone \ud800 surrogate",
    "long": "start " + "filler " * 90_000 + "end",
    "empty": "",
}


@pytest.fixture
def library(store: Store) -> Store:
    with store.session() as session:
        add_corpus(session, "texts", [PassageRecord(name, each) for name, each in TEXTS.items()])
    return store


QUESTIONS = [
    ("paris", ["paris"]),
    ("PARIS brussels", ["paris"]),
    ("paris zurich", []),
    ("sao paulo", ["accents"]),
    ("Zürich café", ["accents"]),
    ("cafe", ["accents", "decomposed"]),
    ("café", ["accents", "decomposed"]),
    ("jacques-louis", ["paris"]),
    ("louis", ["paris"]),
    ("baz qux", ["code"]),
    ("foo bar", ["code"]),
    ("12 50", ["code"]),
    ("7 12", ["numbers"]),
    ("москва", ["russian"]),
    ("हिन्दी", ["hindi"]),
    ("surrogate lone", ["hostile"]),
    ("start filler", ["long"]),
    ("par", []),
    ('"paris" OR (zürich) NEAR* col:x', []),
    ("' -- ; DROP TABLE passages", []),
    ("!!! ???", []),
    ("", []),
    ("\0", []),
    ("paris\0", ["paris"]),
    ("\ud800 paris", ["paris"]),
]


def test_passages_that_have_every_word(library: Store) -> None:
    with library.session() as session:
        for question, found in QUESTIONS:
            hits = full_text.search_passages(session, question)
            assert [passage.external_id for passage in hits] == found, question


def test_prompts_are_found_by_text_target_and_answer(store: Store) -> None:
    with store.session() as session:
        corpus = add_corpus(session, "c", [PassageRecord("p", "text")])
        records = [
            PromptRecord("a", "The capital of Ghana is", "Accra"),
            PromptRecord("b", "Two and two is", "four"),
        ]
        prompts = add_prompts(session, "s", records, corpus=corpus)
        model = register_model(session, "m")
        asked = list_prompts(session, prompts.id)
        put_outputs(session, model.id, [_answer(asked[0], "Lagos"), _answer(asked[1], "five")])
        run = Run(slug="r", name="r", method="x", model=model, corpus=corpus, prompt_set=prompts)
        session.add(run)
        session.flush()
        session.add_all(Result(run_id=run.id, prompt_id=each.id, position=n) for n, each in enumerate(asked))

    def hits(*questions: str) -> dict[str, int]:
        with store.session() as session:
            return {q: count(session, run, Filters(q=q)) for q in questions}

    found = hits("ghana", "accra", "two", "lagos", "five", "tokyo")
    assert found == {"ghana": 1, "accra": 1, "two": 1, "lagos": 1, "five": 1, "tokyo": 0}
    with store.session() as session:
        session.execute(update(Prompt).where(Prompt.id == asked[0].id).values(target="Kumasi"))
        put_outputs(session, model.id, [_answer(asked[0], "Tokyo")])
    assert hits("accra", "kumasi", "lagos", "tokyo") == {"accra": 0, "kumasi": 1, "lagos": 0, "tokyo": 1}


def _answer(prompt: Prompt, answer: str) -> dict[str, object]:
    fields: dict[str, object] = {"correct": None, "probability": None, "confidence": None, "samples": []}
    return {"prompt_id": prompt.id, "answer": answer, **fields}


def test_passages_that_change_or_go_change_what_is_found(library: Store) -> None:
    with library.session() as session:
        session.execute(update(Passage).where(Passage.external_id == "paris").values(text="Born in Lyon."))
        session.execute(delete(Passage).where(Passage.external_id == "code"))
    with library.session() as session:
        assert full_text.search_passages(session, "paris") == []
        assert full_text.search_passages(session, "foo bar") == []
        assert [p.external_id for p in full_text.search_passages(session, "lyon")] == ["paris"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_process_that_died_before_indexing_is_made_up_for(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite passages join the search index after their transaction; the next one to open the store finishes it,
    in batches, and passages removed before they were indexed do no harm."""
    from app.store.engine import open_store

    monkeypatch.setattr(full_text, "BATCH", 7)
    with store._sessions.begin() as session:  # without Store.session nobody indexes
        add_corpus(session, "c", [PassageRecord(str(n), f"word{n} common") for n in range(30)])
    with store.session() as session:
        assert full_text.search_passages(session, "common") == []
        session.execute(delete(Passage).where(Passage.external_id.in_(["3", "29"])))
    told: list[tuple[int, int]] = []
    reopened = open_store(database_url, migrate=True)
    full_text.catch_up(reopened.engine, lambda done, total: told.append((done, total)))
    assert told == []  # nothing was left for the second call
    with reopened.session() as session:
        found = session.scalars(full_text.matching_passages(session, "common")).all()
        assert len(found) == session.scalar(select(func.count()).select_from(Passage)) == 28
        session.execute(text("INSERT INTO passages_fts(passages_fts) VALUES ('integrity-check')"))
    reopened.engine.dispose()
