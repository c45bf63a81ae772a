"""Answers of infini-gram's first API come in as passages that have a text word for word: no score, and no word of influence."""

import json
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from app.errors import UserError
from app.interchange.results import export_results, import_results
from app.store.engine import Store
from tests.support.sites import site
from tests.unit.interchange.test_tools import OLMO

VOLTA = {"doc_ix": 71, "doc_len": 900, "disp_len": 9, "token_ids": [1, 24],
         "spans": [["South of it the", None], [" Volta flows", "0"], [" to the sea.", None]]}  # fmt: skip
LAKE = {
    "doc_ix": 9,
    "doc_len": 8,
    "disp_len": 8,
    "spans": [["What feeds the lake? The", None], [" Volta flows", "0"]],
}
SEARCHED = {"documents": [VOLTA, LAKE], "message": "2 found", "token_ids": [650, 24], "latency": 8.1,
            "tokens": ["\u2581Volta", "\u2581flows"]}  # fmt: skip
ANSWERS: dict[str, str] = {
    "search_docs, as printed": json.dumps(SEARCHED),
    "search_docs, for people": json.dumps(SEARCHED, indent=2),
    "get_doc_by_rank, an answer a line": "".join(json.dumps({**each, "latency": 1.2}) + "\n" for each in (VOLTA, LAKE)),
    "get_doc_by_ptr in an array, with what was asked": json.dumps([{**each, "query": "Volta flows"} for each in (VOLTA, LAKE)]),
}  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_documents_found_word_for_word_are_one_result_without_scores(store: Store, tmp_path: Path) -> None:
    """One query's documents came one answer each, or together; either way they are the passages of one example."""
    for number, (what, text) in enumerate(ANSWERS.items()):
        path = tmp_path / "answers.json"
        path.write_text(text)
        with store.session() as session:
            run = import_results(session, path, run=f"looked-up-{number}")
            assert (run.method, run.prompt_count) == ("infini-gram", 1), what
            record = next(export_results(session, run))
        assert record["targets_plaintext"] == "Volta flows", what
        assert record["proponent_ids"] == ["infini-gram:71", "infini-gram:9"]
        assert record["proponents"][0] == "South of it the Volta flows to the sea."
        assert record["infini_gram_spans"] == [["Volta flows"]] * 2
        assert record["infini_gram_metadata"][0]["doc_len"] == 900
        assert not [name for name in record if "score" in name]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"cnt": 2, "segment_by_shard": [[3, 5]], "latency": 1.0}, r"cnt: This answer has no documents.*get_doc_by_rank"),
        ({"count": 2, "approx": False, "latency": 0.7}, "count: This answer has no documents"),
        ({**SEARCHED, "documents": [{"doc_ix": 7, "token_ids": [1, 2]}]}, r"without their texts"),
        ({**VOLTA, "spans": [["South", None]]}, "query: What was looked up is not in the answer"),
        ({**VOLTA, "spans": [[7, None]]}, r"without their texts"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_answer_that_shows_nothing_is_refused(
    store: Store, tmp_path: Path, answer: dict[str, Any], said: str
) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer))
    with pytest.raises(UserError, match=said), store.session() as session:
        import_results(session, path, run="looked-up")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_calls_what_stands_word_for_word_an_influence(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """A reader who comes from OLMoTrace must not take a match for a cause: neither its page nor its lists say so."""
    for name, answer in (("olmo", OLMO), ("gram", SEARCHED)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(answer))
        with store.session() as session:
            import_results(session, path, run=name)
    with site(database_url, tmp_path) as client:
        for name in ("olmo", "gram"):
            [item] = client.get(f"/prompts.json?run={name}").json()["listing"]["items"]
            page = item["url"].removesuffix(".json")
            for address in (page, f"/runs/{name}", f"/prompts?run={name}"):
                main = BeautifulSoup(client.get(address).text, "html.parser").select_one("main")
                text = " ".join(main.text.split())
                assert "influen" not in text.lower(), (address, text)
            shown = client.get(f"{page}.json").json()["proponents"]
            assert len(shown) == 2
            assert {each["score"] for each in shown} == {None}
