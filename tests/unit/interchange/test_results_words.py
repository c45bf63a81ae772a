"""The page about the results format says every field that the code reads, and its example is one."""

from pathlib import Path

from app.interchange.results import export_results, import_results
from app.interchange.results_fields import KEPT, LISTS, OUTPUT, PROMPT, unknown
from app.interchange.results_in import UNKNOWN
from app.interchange.results_words import FIELDS, example, rows
from app.store import browse
from app.store.engine import Store
from app.web.browsing.list_query import ListQuery
from tests.support.pair_files import jsonl


def test_every_field_is_described() -> None:
    """A field that is added and not described would be a secret."""
    known = [field.names[0] for field in (*PROMPT, *OUTPUT)]
    assert list(FIELDS) == [*known, *(f"proponent{rest}" for rest in LISTS), *KEPT]
    assert all(meaning for _, _, _, meaning in rows())


def test_the_example_comes_in_and_back_and_what_is_unknown_is_kept(store: Store, tmp_path: Path) -> None:
    """Unknown fields: kept, named, filtered, exported."""
    record = example()
    assert unknown(record) == {"my_note": ""}
    file = tmp_path / "example.jsonl"
    file.write_bytes(jsonl([record]))
    with store.session() as session:
        run = import_results(session, file, run="example")
        assert run.configuration[UNKNOWN] == {"my_note": ""}
        assert list(export_results(session, run)) == [record]
        for where, found in (('ex["my_note"] = "kept"', 1), ('ex["my_note"] = "lost"', 0)):
            assert browse.count(session, run, ListQuery(where=where).filters()) == found
