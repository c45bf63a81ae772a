"""The evidence for an answer: the drawing is its numbers, and the verdict says nothing that they do not."""

import re
from statistics import fmean

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from app.web.evidence.lanes import AGAINST, FOR, RANDOM, WORDS, Dot, Lane, after, changes, lane
from app.web.evidence.plot import BELL, bell_svg, lane_svg, step_bar
from app.web.evidence.verdict import NOTHING, STILL, amount, plain, verdict
from app.words.chance import Chance
from app.words.saying import step_words

CHANCE = st.floats(0, 1)
DOTS = st.lists(CHANCE, max_size=12)
LANES = st.fixed_dictionaries(dict.fromkeys((FOR, WORDS, RANDOM, AGAINST), DOTS))


def made(name: str, places: list[float], first_id: int = 1) -> Lane:
    return lane(
        name, [Dot(passage_id=first_id + at, after=place, rank=at + 1) for at, place in enumerate(places)]
    )


def said(before: float | None, lanes: dict[str, list[float]], answer: str = "cedi") -> str:
    return plain(verdict(before, [made(name, places) for name, places in lanes.items()], answer))


@settings(deadline=None)  # the first drawing loads the parser
@given(CHANCE, DOTS)
def test_every_dot_is_its_number(before: float, places: list[float]) -> None:
    drawn = BeautifulSoup(lane_svg(before, made(FOR, places)), "html.parser")
    circles = sorted(float(circle["cx"].rstrip("%")) for circle in drawn.select("circle"))
    assert circles == pytest.approx(sorted(100 * place for place in places), abs=0.006)
    line = drawn.select_one("line.before")
    assert float(line["x1"].rstrip("%")) == pytest.approx(100 * before, abs=0.006)
    assert len(drawn.select(".mean")) == (len(places) > 1)
    for mean in drawn.select(".mean"):
        assert float(mean["x"].rstrip("%")) == pytest.approx(100 * fmean(places), abs=0.006)


@given(CHANCE, CHANCE)
def test_the_bar_of_a_step_goes_from_before_to_after(before: float, end: float) -> None:
    drawn = BeautifulSoup(step_bar(before, end), "html.parser")
    bar = drawn.select("rect")[1]
    assert float(bar["x"].rstrip("%")) == pytest.approx(100 * min(before, end), abs=0.006)
    assert float(bar["width"].rstrip("%")) == pytest.approx(100 * abs(end - before), abs=0.006)
    assert ("up" in drawn.svg["class"]) == (end >= before)


@given(CHANCE, LANES)
def test_the_verdict_says_nothing_that_the_numbers_do_not(
    before: float, lanes: dict[str, list[float]]
) -> None:
    """Each amount in it is the mean of a lane that is drawn, in its direction, or one passage's own."""
    words = said(before, lanes)
    allowed = set()
    for name, places in lanes.items():
        if places:
            moves = changes(before, made(name, places).dots)
            each = [fmean(moves), *(moves if name == WORDS else [])]
            allowed |= {
                ("up by " if move > 0 else "down by ") + amount(move) for move in each if abs(move) >= STILL
            }
    told = set(re.findall(r"(?:up|down) by [\d.]+ points?", words))
    assert told <= allowed
    assert ("random" in words) == bool(lanes[RANDOM] or lanes[FOR])
    assert ("traced the other way" in words) == bool(lanes[AGAINST])
    assert ("ord search" in words) == bool(lanes[WORDS])
    if not any(lanes.values()):
        assert words == NOTHING


@given(CHANCE, DOTS, st.lists(CHANCE, min_size=2, max_size=10))
def test_nothing_stands_out_exactly_where_a_random_passage_does_as_much(
    before: float, traced: list[float], random: list[float]
) -> None:
    words = said(before, {FOR: traced, RANDOM: random})
    assert ("None of them stands out" in words) == (bool(traced) and max(traced) <= max(random))


@pytest.mark.parametrize(
    ("before", "lanes", "words"),
    [
        (None, {FOR: [0.5]}, NOTHING),
        (0.6, {}, NOTHING),
        (0.6, {FOR: [0.72] * 10, WORDS: [0.61] * 9 + [0.16], RANDOM: [0.61] * 10, AGAINST: [0.21] * 8},
         "One training step on each of ten traced passages moves “cedi” up by 12 points on average. Word search finds"
         " all of them; its first ten move it down by 3 points on average. Ten random passages move it up by 1 point"
         " on average. The eight passages traced the other way move it down by 39 points on average."),
        (0.6, {FOR: [0.61]},
         "One training step on the traced passage moves “cedi” up by 1 point. No random passages were measured beside"
         " them."),
        (0.6, {FOR: [0.6, 0.6001], RANDOM: [0.5995, 0.6004]},
         "One training step on each of two traced passages moves “cedi” by less than 0.1 points on average. None of"
         " them stands out: a random passage moves it as much. Two random passages move it by less than 0.1 points on"
         " average."),
        (0.6, {WORDS: [0.59, 0.604]},
         "One training step on each of two passages that word search finds moves “cedi” down by 0.3 points on"
         " average."),
        (0.6, {RANDOM: [0.62]}, "One random passage moves “cedi” up by 2 points."),
    ],
)  # fmt: skip
def test_each_form_of_the_verdict(before: float | None, lanes: dict[str, list[float]], words: str) -> None:
    assert said(before, lanes) == words


def test_the_one_passage_that_pulls_the_other_way_is_named() -> None:
    """Word search's second hit says the opposite: the mean alone would hide it."""
    words = said(0.6, {FOR: [0.72], WORDS: [0.7, 0.16, *[0.68] * 8]})
    assert (
        "its first ten move it up by 3 points on average, but its second moves it down by 44 points." in words
    )


def test_a_long_answer_is_named_shortly() -> None:
    assert said(0.5, {RANDOM: [0.6]}, "word " * 50).startswith("One random passage moves “word word")
    assert len(said(0.5, {RANDOM: [0.6]}, "word " * 50)) < 120


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_the_bell_shades_what_chance_gives_and_marks_what_is_beyond(
    counts: list[int], a: int, b: int
) -> None:
    edges = tuple(number / 10 for number in range(len(counts) + 1))
    low, high = sorted((min(a, len(counts)), min(b, len(counts))))
    chance = Chance(passages=sum(counts), sample=sum(counts), centre=0.0, spread=1.0, floor=edges[high],
                    opponent_floor=edges[low], edges=edges, counts=tuple(counts))  # fmt: skip
    drawn = BeautifulSoup(bell_svg(chance), "html.parser")
    bars = {
        kind: "".join(path["d"] for path in drawn.select(f"path.{kind}"))
        for kind in ("usual", "for", "against")
    }
    assert sum(path.count("H") for path in bars.values()) == sum(count > 0 for count in counts)
    assert bars["for"].count("H") == sum(count > 0 for count in counts[high:])
    assert bars["against"].count("H") == sum(count > 0 for count in counts[:low])
    tops = [float(top) for path in bars.values() for top in re.findall(r"V([\d.]+)H", path)]
    assert sorted(tops) == pytest.approx(
        sorted(BELL - BELL * (count / max(counts)) ** 0.5 for count in counts if count), abs=1.0
    )


def test_the_passages_that_stand_out_are_in_the_bell_though_no_sample_holds_them() -> None:
    """“3 for” stood beside an empty place: the bell is of some thousand scores, and the three were not among them."""
    edges = tuple(number / 10 for number in range(-10, 11))
    chance = Chance(passages=17_726, sample=1_000, centre=0.0, spread=0.1, floor=0.5, opponent_floor=-0.5, edges=edges,
                    counts=(0,) * 8 + (500,) * 4 + (0,) * 8)  # fmt: skip
    drawn = BeautifulSoup(bell_svg(chance, [7.0, 0.7, 0.51, 0.49, -0.2, -0.9]), "html.parser")
    places = {
        kind: re.findall(r"M(\d+) ", drawn.select_one(f"path.{kind}")["d"]) for kind in ("for", "against")
    }
    assert places == {"for": ["993", "850", "755"], "against": ["50"]}


@pytest.mark.parametrize(
    ("before", "end", "words"),
    [
        (0.602, 0.764, "60 → 76 %"), (0.602, 0.604, "60.2 → 60.4 %"), (0.726, 0.72603, "73 → 73 %"),
        (0.0, 0.5, "0 → 50 %"), (0.0002, 0.009, "0.02 → 0.90 %"), (1e-9, 2e-9, "below 0.01 %"),
        (0.0, 0.0, "0 → 0 %"), (1e-7, 0.5, "<0.01 → 50 %"), (0.003, 0.451, "0.3 → 45 %"), (1.0, 1.0, "100 → 100 %"),
    ],
)  # fmt: skip
def test_a_step_is_said_with_no_more_digits_than_tell_it(before: float, end: float, words: str) -> None:
    assert step_words(before, end) == words


@given(CHANCE, st.floats(-100, 100))
def test_a_probability_stays_one(before: float, change: float) -> None:
    assert 0 <= after(before, change) <= 1
