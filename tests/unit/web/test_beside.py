"""What a comparison says: each method's average, and what only one of them found; nothing that was not measured."""

import pytest

from app.web.evidence.lanes import FOR, RANDOM, Dot, Lane, lane
from app.web.evidence.verdict import plain
from app.web.reading.beside import compared_in_words, only_here_in_words


def of(name: str, ends: list[float], label: str = "") -> Lane:
    return lane(name, [Dot(passage_id=at, after=end) for at, end in enumerate(ends)], label=label)


@pytest.mark.parametrize(
    ("lanes", "said"),
    [
        ([], ""),
        (
            [of(FOR, [0.72], "A")],
            "On average, a training step on a passage found by A moves the answer up by 12 points.",
        ),
        (
            [of(FOR, [0.72, 0.74], "A"), of(FOR, [0.59], "B"), of(RANDOM, [0.6])],
            "On average, a training step on a passage found by A moves the answer up by 13 points, by B down by 1 point and"
            " on a random one by less than 0.1 points.",
        ),
    ],
)
def test_the_averages_are_those_of_the_lanes(lanes: list[Lane], said: str) -> None:
    assert plain(compared_in_words(0.6, lanes)) == said


@pytest.mark.parametrize(
    ("ends", "alone", "first", "said"),
    [
        ([0.72, 0.74], {0, 1}, 2, "All of A’s first two were found by it alone; a training step on each moves the answer"
         " up by 13 points on average."),
        ([0.72, 0.74], {1}, 2, "One of A’s first two was found by it alone; a training step on it moves the answer up by"
         " 14 points."),
        ([0.72], {0, 7}, 3, "Two of A’s first three were found by it alone; a training step on the one measured moves the"
         " answer up by 12 points."),
        ([0.72], {0}, 1, "A’s first was found by it alone; a training step on it moves the answer up by 12 points."),
        ([0.72], set(), 3, "None of A’s first three was found by it alone."),
        ([], {0, 1}, 3, "Two of A’s first three were found by it alone."),
    ],
)  # fmt: skip
def test_what_only_one_found_is_said_as_far_as_it_was_measured(
    ends: list[float], alone: set[int], first: int, said: str
) -> None:
    """A passage that nobody stepped on counts among those found, never among those that moved the answer."""
    assert plain(only_here_in_words("A", 0.6, of(FOR, ends), alone, first)) == said
