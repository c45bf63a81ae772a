"""A results file whose names stand without spaces around them, or in another Unicode form, from file to page: marked where
they stand, typed by the same rule, and found by the words that BM25 searches for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.evaluation.classify import classify_run
from app.interchange.results import import_results
from app.retrieval.bm25 import BM25
from app.store.engine import Store
from tests.support.sites import site

# By example: prompt, target, subject, passages; and of the first passage what is marked as target and as subject.
Example = tuple[str, str, str | None, list[str], str, str | None]
EXAMPLES: dict[str, Example] = {
    "ja": ("日本の首都は", "東京", "日本", ["日本の首都は東京です。", "大阪は日本の都市です。"], "東京", "日本"),
    "zh": ("法国的首都是", "巴黎", "法国", ["巴黎是法国的首都。", "里昂在法国。"], "巴黎", "法国"),
    "ko": ("한국의 수도는", "서울", "한국", ["한국의 수도는 서울 이다.", "부산은 도시다."], "서울", None),
    "th": ("เมืองหลวงของไทยคือ", "กรุงเทพ", "ไทย", ["กรุงเทพเป็นเมืองหลวงของไทย", "เชียงใหม่"], "กรุงเทพ", "ไทย"),
    "lo": ("ນະຄອນຫຼວງຂອງລາວແມ່ນ", "ວຽງຈັນ", "ລາວ", ["ວຽງຈັນເປັນນະຄອນຫຼວງຂອງລາວ", "ປາກເຊ"], "ວຽງຈັນ", "ລາວ"),
    "nfd": (
        "They met in the", "Café", None,
        ["They met in the Cafe\u0301 by the sea.", "The Cafe is closed."], "Cafe\u0301", None,
    ),
    "nfc": (
        "Sie wohnt in der", "Mu\u0308nzstrasse", None,
        ["Die Münzstrasse ist lang.", "Die Munzstrasse nicht."], "Münzstrasse", None,
    ),
    "hangul": ("The capital of Korea is", "서울", None, ["It is \u1109\u1165\u110b\u116e\u11af now.", "No."],
               "\u1109\u1165\u110b\u116e\u11af", None),
    "apostrophe": ("He was called", "O'Brien", None, ["Then O’Brien came.", "Brien stayed."], "O’Brien", None),
}  # fmt: skip


def record(name: str) -> dict[str, Any]:
    prompt, target, subject, passages, *_ = EXAMPLES[name]
    made: dict[str, Any] = {
        "example_id": name,
        "inputs_plaintext": prompt,
        "targets_plaintext": target,
        "task": "fact",
        "proponents": passages,
        "proponent_ids": [f"{name}-{n}" for n in range(len(passages))],
        "proponent_scores": [1.0, 0.9],
    }
    return made | ({"subject": subject} if subject else {})


@pytest.fixture
def reader(store: Store, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(record(name), ensure_ascii=False) + "\n" for name in EXAMPLES))
    with store.session() as session:
        classify_run(session, import_results(session, file, run="names"))
    with site(database_url, tmp_path) as client:
        yield client


def test_a_name_is_marked_where_it_stands_from_file_to_page(reader: TestClient) -> None:
    """The passage's type said `both` and no word of it was marked: two rules said where a name stands."""
    for name, (_, _, subject, passages, wanted, of_subject) in EXAMPLES.items():
        place = f"/runs/names/prompts/{name}"
        cards = reader.get(f"{place}.json").json()["proponents"]
        assert [card["text"] for card in cards] == passages, name
        marked: list[tuple[str, str]] = [
            (span["kind"], passages[0][span["start"] : span["end"]]) for span in cards[0]["spans"]
        ]
        assert ("target", wanted) in marked, name
        if of_subject:
            assert ("subject", of_subject) in marked, name
        assert not [span for span in cards[1]["spans"] if span["kind"] == "target"], name
        shown = BeautifulSoup(reader.get(place).text, "html.parser")
        marks = [each.text for each in shown.select("#p1 mark.target")]
        assert wanted in marks, name
        # One rule: the type tells the same as the marks.
        kinds = {kind for kind, _ in marked}
        told = {"subject", "target"} <= kinds
        assert (cards[0]["kind"] == "both") == told or not subject, (name, cards[0]["kind"])


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "ko"])
def test_word_search_finds_the_name_among_others(name: str) -> None:
    """BM25 found nothing for 東京, and neither form of Café by the other."""
    passages = [passage for *_, passages, _, _ in EXAMPLES.values() for passage in passages]
    target, own = EXAMPLES[name][1], EXAMPLES[name][3][0]
    scores, rows = BM25.build(passages).search([target], 1)
    assert scores[0][0] > 0
    assert passages[rows[0][0]] == own
