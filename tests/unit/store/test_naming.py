"""Names of things: short addresses, never the same twice, and a suggestion for one almost right."""

import pytest

from app.errors import NotFound
from app.store.corpora import (
    PassageRecord,
    add_corpus,
    get_corpus,
)  # fmt: skip
from app.store.engine import Store
from app.store.models import get_model, register_model
from app.store.naming import slugify, suggest, unique_slug
from app.store.prompts import (
    PromptRecord,
    add_prompts,
    get_prompt_set,
)  # fmt: skip

PASSAGES = [PassageRecord(f"p{n}", f"Passage number {n}", {"n": n}) for n in range(5)]


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
