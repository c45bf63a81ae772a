"""What a file said beyond our columns can be asked for, on both databases alike, whatever kind of value it is."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app.interchange.results import import_results
from app.store.engine import Store
from app.store.filters import condition
from app.store.tables import Prompt, Result
from app.web.browsing.filters import parse
from tests.support.paper_records import paper_record, write

KEPT = [
    {"split": "dev", "level": 3, "checked": True, "deep": {"tags": ["a", "b", "c"]}, "length": 7},
    {"split": "devil", "level": 3.5, "checked": False, "deep": {"tags": []}},
    {"split": 4, "level": "3", "checked": None, "deep": None},
    {"split": "dev", "note": "half \ud800 and \0 null", "level": 9},  # PostgreSQL looks into no such JSON
    {"split": "École 😀", "level": -1e300},
]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('ex.split == "devil"', [1]),
        ('ex["split"] != "dev" && ex.level < 99', [1, 4]),
        ('ex.split.startsWith("DEV")', [0, 1]),
        ('ex.split.endsWith("il")', [1]),
        ('ex["split"] contains "😀"', [4]),
        ('ex["split"] in ("dev", "x")', [0]),
        ("ex.level === 3", [0]),
        ("ex.level >= 3", [0, 1]),
        ("ex.level < -5", [4]),
        ("ex.checked", [0]),
        ("!ex.checked", [1, 2, 3, 4]),  # as in JavaScript: what is not there is not true either
        ("ex['checked'] === false", [1]),
        ("ex.deep.tags.length == 3", [0]),
        ("ex.deep.tags.length == 0", [1]),
        ("ex.length == 7", [0]),
        ("ex.deep is known", [0, 1]),
        ('ex["nothing of the kind"] is known', []),
        ('ex["it\'s, {odd} $."] == "x"', []),
        ("ex.proponent_scores[0] > 0.05", [0, 1, 2, 3, 4]),
        ('ex.query_set == "trex" and ex.level == 3', [0]),
    ],
)
def test_fields_without_a_column_are_asked_for_as_the_viewer_writes_them(
    store: Store, tmp_path: Path, where: str, found: list[int]
) -> None:
    records = [paper_record(n, **kept) for n, kept in enumerate(KEPT)]
    node = parse(where)
    assert node is not None
    with store.session() as session:
        import_results(session, write(tmp_path / "kept.jsonl", records), run="kept")
    with store.session() as session:
        query = select(Result.position).join(Prompt, Prompt.id == Result.prompt_id)
        rows = session.scalars(query.where(condition(node)).order_by(Result.position)).all()
    odd = {3} if store.engine.dialect.name == "sqlite" else set()  # SQLite does look into it
    assert set(rows) - odd == set(found) - odd
