"""Ways of parting prompts, measures and tasks: one word for each, known wherever it is computed or shown."""

import pytest

from app.evaluation.judged import Judged, slice_of
from app.evaluation.measures import measures
from app.store.browse import Filters
from app.store.slicing import FACETS
from app.web.browsing.list_query import ListQuery
from app.words.measures import COMPARED, LABELS, MAIN, SHOWN, SHOWN_BY_AIS, WIDE
from app.words.slices import EVALUATED, SLICES, bucket_name, bucket_range, clause, value_name
from app.words.tasks import TASKS, task_in


@pytest.mark.parametrize(
    ("bucket", "said", "short"),
    [
        ("0", "never", "0"),
        ("1", "once", "1"),
        ("3", "4 to 7 times", "4–7"),
        ("²", "never", "0"),
        ("99999", "bucket 99999", "bucket 99999"),
        ("9" * 5000, f"bucket {'9' * 5000}", f"bucket {'9' * 5000}"),
    ],
)
def test_a_bucket_from_an_address_or_a_file_has_a_name(bucket: str, said: str, short: str) -> None:
    """Two to its power has more digits than Python writes; ² is a digit that int() does not read."""
    assert bucket_name(bucket) == said
    assert bucket_range(bucket) == short


def test_every_slice_is_counted_asked_for_and_evaluated_under_its_one_name() -> None:
    assert FACETS.keys() == SLICES.keys()
    assert all(hasattr(Filters(), name) and name in ListQuery.model_fields for name in SLICES)
    prompt = Judged(
        1,
        "fact",
        relation="capital",
        bucket=3,
        right=True,
        confidence=0.7,
    )
    values = {by: slice_of(prompt, by) or "" for by in EVALUATED}
    assert values == {"relation": "capital", "bucket": "3", "right": "yes", "confidence": "high"}
    said = [f"{EVALUATED[by].before} {value_name(EVALUATED[by], value)}" for by, value in values.items()]
    assert said == ["relation capital", "stated 4 to 7 times", "answered right", "confidence at least 0.5"]


def test_a_files_own_buckets_are_not_said_to_be_counts() -> None:
    """The paper draws its buckets elsewhere: its fifth is not 16 to 31 times."""
    frequency = EVALUATED["bucket"]
    assert clause(frequency, "5") == "stated 16 to 31 times"
    assert clause(frequency, "5", counts=False) == "of frequency bucket 5"


def test_every_measure_that_is_computed_has_a_name_and_the_other_way_round() -> None:
    assert list(measures()) == list(LABELS)
    assert {*MAIN, *SHOWN, *WIDE, *SHOWN_BY_AIS, *COMPARED} <= LABELS.keys()


@pytest.mark.parametrize(
    ("words", "task"),
    [("COPA-causes", "commonsense"), ("word_problems", "arithmetic"), ("ROCStories", "open_ended"),
     ("facts about causes", "commonsense"), ("T-REx", "fact"), ("poems", None)],
)  # fmt: skip
def test_names_of_files_and_sets_speak_of_tasks(words: str, task: str | None) -> None:
    assert task_in(words) == task
    assert task is None or task in TASKS
