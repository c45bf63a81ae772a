"""Adding corpora, prompts and models, and finding them again by name."""

import pytest
from sqlalchemy import func, select

from app.errors import NotFound, UserError
from app.store.chunks import chunks
from app.store.corpora import (
    CorpusDigest,
    PassageRecord,
    add_corpus,
    external_ids,
    get_corpus,
    list_corpora,
    stream_passages,
)  # fmt: skip
from app.store.engine import Store
from app.store.models import get_model, put_outputs, register_model
from app.store.names import slugify, suggest, unique_slug
from app.store.prompts import (
    PromptRecord,
    add_prompts,
    bucket_of,
    count_prompts,
    get_prompt_set,
    list_prompt_sets,
    list_prompts,
)  # fmt: skip
from app.store.tables import Output, Passage, Prompt, Statement
from app.store.writing import new_ids, write_alone

PASSAGES = [PassageRecord(f"p{n}", f"Passage number {n}", {"n": n}) for n in range(5)]


def test_a_corpus_keeps_its_order_and_its_hash_tells_its_contents(store: Store) -> None:
    """Row r of an index is the passage at position r, so neither may depend on anything but the file."""
    with store.session() as session:
        corpus = add_corpus(session, "world", iter(PASSAGES), description="Five.")
        again = add_corpus(session, "copy", PASSAGES)
        turned = add_corpus(session, "turned", PASSAGES[::-1])
        assert corpus.passage_count == 5
        assert corpus.sha256 == again.sha256 != turned.sha256
        assert [name for _, name, _ in stream_passages(session, turned.id)] == ["p4", "p3", "p2", "p1", "p0"]
        assert external_ids(session, corpus) == {"p0", "p1", "p2", "p3", "p4"}
        assert [each.name for each in list_corpora(session)] == ["copy", "turned", "world"]
        assert session.scalars(select(Passage.meta).where(Passage.corpus_id == corpus.id)).first() == {"n": 0}


def test_the_hash_knows_where_an_id_ends(store: Store) -> None:
    one, other = CorpusDigest(), CorpusDigest()
    one.add("ab", "c")
    other.add("a", "bc")
    assert one.hexdigest() != other.hexdigest()


def test_what_cannot_be_added_is_refused(store: Store) -> None:
    with store.session() as session:
        add_corpus(session, "world", PASSAGES)
        with pytest.raises(UserError, match="exists already"):
            add_corpus(session, "world", PASSAGES)
    with pytest.raises(UserError, match="no passage"), store.session() as session:
        add_corpus(session, "nothing", [])
    with pytest.raises(UserError, match="no prompt"), store.session() as session:
        add_prompts(session, "nothing", [])
    with store.session() as session:
        assert [each.name for each in list_corpora(session)] == ["world"]
        assert list_prompt_sets(session) == []


def test_prompts_are_linked_to_the_passages_that_state_them(store: Store) -> None:
    records = [
        PromptRecord("q one", "The capital of Ghana is", "Accra", stated_by=["p1", "p3", "p1"]),
        PromptRecord(
            "q-one", "The capital of Togo is", "Lomé", frequency=9, frequency_bucket=2, aliases=["Lome"]
        ),
        PromptRecord("q2", "Once", "upon", task="open_ended"),
    ]
    with store.session() as session:
        corpus = add_corpus(session, "world", PASSAGES)
        prompts = add_prompts(session, "questions", records, corpus=corpus)
        first, second, third = list_prompts(session, prompts.id)
        assert (first.frequency, first.frequency_bucket) == (3, 2)
        assert (second.frequency, second.frequency_bucket, second.aliases) == (9, 2, ["Lome"])
        assert (third.frequency, third.frequency_bucket) == (None, None)
        assert len({first.slug, second.slug, third.slug}) == 3
        linked = select(Passage.external_id).join(Statement).where(Statement.prompt_id == first.id)
        assert sorted(session.scalars(linked)) == ["p1", "p3"]
        assert count_prompts(session, prompts) == (3, 2)
        assert [(each.name, count) for each, count in list_prompt_sets(session)] == [("questions", 3)]


def test_a_statement_of_an_unknown_passage_is_refused(store: Store) -> None:
    with store.session() as session:
        corpus = add_corpus(session, "world", PASSAGES)
    record = PromptRecord("q", "a", "b", stated_by=["p9"])
    with pytest.raises(UserError, match="p9"), store.session() as session:
        add_prompts(session, "questions", [record], corpus=corpus)
    with store.session() as session:
        assert session.scalar(select(func.count()).select_from(Prompt)) == 0


def test_a_name_almost_right_gets_a_suggestion(store: Store) -> None:
    with store.session() as session:
        add_corpus(session, "wikipedia", PASSAGES)
        add_prompts(session, "questions", [PromptRecord("q", "a", "b")])
        register_model(session, "demo")
        for find, name, near in (
            (get_corpus, "wikipdia", "wikipedia"), (get_prompt_set, "question", "questions"),
            (get_model, "deno", "demo"),
        ):  # fmt: skip
            with pytest.raises(NotFound) as error:
                find(session, name)
            assert near in error.value.remedy
            assert error.value.status == 404


def test_a_later_output_of_the_same_model_gives_way(store: Store) -> None:
    with store.session() as session:
        prompts = add_prompts(session, "s", [PromptRecord(str(n), f"text {n}", "x") for n in range(3)])
        asked = list_prompts(session, prompts.id)
        mine, other = register_model(session, "mine", parameters=5), register_model(session, "other")
        assert register_model(session, "mine", path="/m").id == mine.id
        for model, answer in ((mine, "old"), (other, "theirs"), (mine, "new")):
            row = {
                "answer": answer,
                "correct": True,
                "probability": 0.5,
                "confidence": 1.0,
                "samples": [answer],
            }
            assert put_outputs(session, model.id, [{"prompt_id": each.id, **row} for each in asked]) == 3
        answers = session.execute(
            select(Output.model_id, Output.answer, func.count()).group_by(Output.model_id, Output.answer)
        )
        assert sorted(answers.tuples().all()) == [(mine.id, "new", 3), (other.id, "theirs", 3)]


def test_new_ids_are_never_ones_given_out_before(store: Store) -> None:
    """Passage and prompt numbers stand in permalinks: a removed one may not come to mean something else."""
    with store.session() as session:
        corpus = add_corpus(session, "world", PASSAGES)
        used = set(session.scalars(select(Passage.id)))
        session.delete(corpus)
    with store.session() as session:
        write_alone(session)
        ids = list(new_ids(session, Passage, 3))
        assert len(ids) == 3
        assert ids == sorted(ids)
        assert not used & set(ids)


@pytest.mark.parametrize(
    ("frequency", "bucket"), [(None, None), (0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (16, 5)]
)
def test_buckets_grow_with_the_power_of_two(frequency: int | None, bucket: int | None) -> None:
    assert bucket_of(frequency) == bucket


def test_slugs_are_plain_short_and_never_the_same() -> None:
    taken: set[str] = set()
    texts = [
        "trex:P19:1",
        "Trex P19 1",
        "trex-p19-1",
        "日本",
        "中国",
        "",
        "x" * 300,
        "x" * 301,
        "\ud800",
        "a/b?c#d",
    ]
    slugs = [unique_slug(each, taken) for each in texts]
    assert len(set(slugs)) == len(texts)
    assert all(
        len(each) <= 100 and each.isascii() and set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        for each in slugs
    )
    assert slugify("trex:P19:1") == "trex-p19-1"
    assert slugify("Zürich") != slugify("Zurich")


def test_suggestions_name_what_is_near_or_where_to_look() -> None:
    assert "“bm25”" in suggest("bm-25", ["bm25", "trackstar"], "startrail runs list")
    assert suggest("zzz", ["bm25"], "startrail runs list") == "See `startrail runs list`."
    assert suggest("zzz", [], "startrail runs list") == "There is none yet."


def test_chunks_lose_nothing() -> None:
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []
