"""What a notebook shows: strangers' text stays text, what was not measured is not said, rows become data frames."""

import pytest

from startrail import Answer, Passage, Passages, Steps, Table

HOSTILE = "<script>alert(1)</script> & co"


def answer() -> Answer:
    found = Passages([Passage(1, 0.5, 7, "a", HOSTILE), Passage(2, 0.25, 8, "b", "x" * 5_000)])
    return Answer("t", "http://site/traces/t", f"Say {HOSTILE}", HOSTILE, True, 0.25, found, Passages([]))


def test_texts_of_strangers_stay_text() -> None:
    """Passages come from the web; a notebook runs whatever script its output holds."""
    for shown in (answer()._repr_html_(), Table([{HOSTILE: HOSTILE}])._repr_html_()):
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown


def test_a_long_passage_does_not_fill_the_cell() -> None:
    assert len(answer()._repr_html_()) < 2_000


def test_only_what_was_measured_is_said() -> None:
    """A change of nothing is a measurement; no step made is none."""
    assert "points" not in answer()._repr_html_()
    measured = answer().with_steps(Steps(0.25, {8: -0.04, 7: 3.0}, [0.1]))
    assert [each.change for each in measured.proponents] == [3.0, -0.04]
    assert "+3.0 points" in measured._repr_html_()
    assert answer().proponents[0].change is None, "the answer itself does not change"


def test_rows_become_a_data_frame() -> None:
    """One row a passage, columns by name, in rank order."""
    pandas = pytest.importorskip("pandas")
    frame = answer().proponents.frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["passage_id"]) == [7, 8]
    assert Table([]).frame().empty


def test_parts_of_a_list_are_lists_of_the_same_kind() -> None:
    assert isinstance(answer().proponents[:1], Passages)
    assert isinstance(Table([{"a": 1}, {"a": 2}])[1:], Table)
    assert Table([{"a": 1}, {"a": 2}])[1:][0] == {"a": 2}


def test_prompt_and_completion_are_joined_as_the_model_reads_them() -> None:
    """A space stood between the two, also before a comma and in the middle of a word."""
    alone = Passages([])
    said = Answer("t", "", "The capital is Accra", ", said Emeka", True, 0.5, alone, alone)
    assert "Accra<b>, said Emeka</b>" in said._repr_html_()
