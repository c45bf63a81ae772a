"""What came in goes out: every field, in its order, to the last detail, on both databases."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.files import json_line
from app.interchange.results import example_record, export_results, import_results
from app.store.engine import Store
from app.store.runs import get_run
from app.store.tables import Passage, Prompt, Result
from tests.support.paper_records import OLD_NAMES, paper_record, records, write


def through(store: Store, path: Path, run: str = "a run") -> list[dict[str, Any]]:
    """The records of a file as they come out of the store again."""
    with store.session() as session:
        import_results(session, path, run=run)
    with store.session() as session:
        return list(export_results(session, get_run(session, run.replace(" ", "-"))))


def exactly(records: list[dict[str, Any]]) -> list[str]:
    """As JSON, where 1 is not 1.0, null not absent, and the order of fields is seen."""
    return [json.dumps(record) for record in records]


def test_a_file_of_the_paper_comes_out_equal(store: Store, tmp_path: Path) -> None:
    """More records than are written at once, so that the seams between batches are crossed too."""
    given_ = [paper_record(number) for number in range(450)]
    assert exactly(through(store, write(tmp_path / "a.jsonl", given_))) == exactly(given_)


def test_older_names_stay_older_names(store: Store, tmp_path: Path) -> None:
    old = {OLD_NAMES.get(name, name): value for name, value in paper_record(groundtruth="Lyon").items()}
    assert "trex_id" in old
    assert exactly(through(store, write(tmp_path / "old.jsonl", [old]))) == exactly([old])


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(given_=st.lists(records(), min_size=1, max_size=4))
def test_whatever_a_record_holds_comes_out_equal_and_again_from_its_export(
    store: Store, tmp_path: Path, given_: list[dict[str, Any]]
) -> None:
    """Nulls, empty lists, unknown fields, repeated prompts, ids that are numbers, hostile text: nothing is lost."""
    first = write(tmp_path / "first.jsonl", given_)
    expected = [json.dumps(json.loads(line)) for line in first.read_text().splitlines()]
    with store._sessions() as session:  # rolled back, so that examples know nothing of each other
        run = import_results(session, first, run="first")
        out = list(export_results(session, run))
        assert exactly(out) == expected
        second = tmp_path / "second.jsonl"
        second.write_bytes(b"".join(map(json_line, out)))
        again = import_results(session, second, run="second")
        assert exactly(list(export_results(session, again))) == expected
        assert again.prompt_set_id == run.prompt_set_id
        session.rollback()


def test_gzip_is_known_by_its_first_bytes_not_by_the_name(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(gzip.compress(json.dumps(paper_record()).encode()))
    assert exactly(through(store, path)) == exactly([paper_record()])


def test_text_that_databases_refuse_is_kept_shown_and_given_back(store: Store, tmp_path: Path) -> None:
    hostile = [
        "null\0byte",
        "lone \ud800 surrogate",
        "<script>alert(1)</script>",
        "عربى \u202e",
        "\uf8f0 itself",
    ]
    given_ = paper_record(
        inputs_plaintext="Who\0is\udfff", proponents=hostile, proponent_ids=[f"id\0{n}" for n in range(5)],
        proponent_scores=[0.5] * 5, proponent_correct=[True] * 5, proponent_ais_scores=[0.1] * 5,
        proponent_ais_best_windows=hostile, proponent_ranks=[1, 2, 3, 4, 5],
    )  # fmt: skip
    path = write(tmp_path / "hostile.jsonl", [given_])
    assert exactly(through(store, path)) == exactly([given_])
    with store.session() as session:
        assert set(hostile) <= set(session.scalars(select(Passage.text)))
        assert session.scalar(select(Prompt.text)) == "Who\0is\udfff"


def test_two_files_about_the_same_prompts_share_them_and_equal_passages(store: Store, tmp_path: Path) -> None:
    """Else their runs could not be compared. Both still come out as they came in, though they contradict each other."""
    mine = [paper_record(n) for n in range(3)]
    theirs = [
        paper_record(n, **{"8b_confidence": 0.1, "relation": "birthplace", "is_8b_correct": None})
        for n in (2, 1, 0)
    ]
    with store.session() as session:
        a = import_results(session, write(tmp_path / "a.jsonl", mine), run="a")
        b = import_results(session, write(tmp_path / "b.jsonl", theirs), run="b")
        prompts = {
            run.slug: set(session.scalars(select(Result.prompt_id).where(Result.run_id == run.id)))
            for run in (a, b)
        }
        assert prompts["a"] == prompts["b"]
        assert (
            session.scalar(select(func.count()).select_from(Passage)) == 3 + 3
        )  # one own each, three shared
        assert exactly(list(export_results(session, a))) == exactly(mine)
        assert exactly(list(export_results(session, b))) == exactly(theirs)


def test_one_id_with_two_texts_is_two_prompts_and_two_passages(store: Store, tmp_path: Path) -> None:
    """Short ids recur between files; the second keeps its own text, and finds itself again in a third file."""
    one = paper_record(1)
    other = paper_record(
        1, inputs_plaintext="Something else:", proponents=["another", "text", "under these ids"]
    )
    for name, record in (("one", one), ("other", other), ("third", other)):
        assert exactly(through(store, write(tmp_path / f"{name}.jsonl", [record]), name)) == exactly([record])
    with store.session() as session:
        assert session.scalar(select(func.count()).select_from(Prompt)) == 2
        assert session.scalar(select(func.count()).select_from(Passage)) == 3 + 3 + 1


def test_a_prompt_that_a_file_repeats_is_as_many_results(store: Store, tmp_path: Path) -> None:
    thrice = [paper_record(5) for _ in range(3)]
    path = write(tmp_path / "thrice.jsonl", thrice)
    assert exactly(through(store, path, "one")) == exactly(thrice)
    assert exactly(through(store, path, "two")) == exactly(thrice)
    with store.session() as session:
        assert session.scalar(select(func.count()).select_from(Prompt)) == 3


def test_one_example_is_the_same_record_as_in_the_export(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper_record(n) for n in range(3)])
    with store.session() as session:
        run = import_results(session, path, run="a")
        third = session.scalars(select(Result).where(Result.position == 2)).one()
        assert exactly([example_record(session, run, third)]) == exactly([paper_record(2)])


def test_our_own_export_mark_is_checked_and_dropped(store: Store, tmp_path: Path) -> None:
    given_ = [paper_record(0), paper_record(1)]
    path = write(tmp_path / "a.jsonl", [given_[0], given_[1] | {"end_of_export": 2}])
    assert exactly(through(store, path)) == exactly(given_)


@pytest.mark.parametrize("count", [1, 2000])
def test_a_prompt_may_have_thousands_of_passages(store: Store, tmp_path: Path, count: int) -> None:
    record = {
        "example_id": "x", "inputs_plaintext": "q", "targets_plaintext": "a",
        "proponents": [f"passage {n}" for n in range(count)],
    }  # fmt: skip
    assert exactly(through(store, write(tmp_path / "a.jsonl", [record]))) == exactly([record])
