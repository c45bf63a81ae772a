"""The one sentence (or few) that says what was measured, and nothing that was not. Pure: lanes in, words out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.web.evidence.lanes import AGAINST, FOR, RANDOM, WORDS, Dot, Lane, changes, mean_change
from app.words.saying import in_words

STILL = 0.05  # percentage points: less is said to leave the answer where it was
FAR = 5.0  # a single passage is named if it moves the answer this far against its lane's mean
LONGEST = 60  # characters of an answer that is named
NOTHING = "No training step has been measured for this answer yet."


class Piece(NamedTuple):
    """Some words of the verdict; `tone` colours those that say up (`for`) or down (`against`)."""

    text: str
    tone: str = ""


def verdict(before: float | None, lanes: Sequence[Lane], answer: str) -> list[Piece]:
    """The verdict in pieces; `plain` joins them. `answer` is what the probabilities are of."""
    by_name = {lane.name: lane for lane in lanes if lane.dots}
    if before is None or not by_name:
        return [Piece(NOTHING)]
    said: list[Piece] = []
    what = f"“{_short(answer)}”"
    for name, say in ((FOR, _traced), (WORDS, _words), (RANDOM, _random), (AGAINST, _against)):
        if name in by_name:
            said += [Piece(" ")] * bool(said) + say(before, by_name, what if not said else "it")
    if FOR in by_name and RANDOM not in by_name:
        said.append(Piece(" No random passages were measured beside them."))
    return said


def plain(pieces: Iterable[Piece]) -> str:
    """As text, for JSON, a share card or the clipboard."""
    return "".join(piece.text for piece in pieces)


def amount(change: float) -> str:
    """`12 points`, `1 point`, `0.4 points`: the size of a change, at least 0.05, without its direction."""
    size = abs(change)
    said = f"{size:.0f}" if size >= 0.95 else f"{size:.1f}"
    return f"{said} point" if said == "1" else f"{said} points"


def moved(change: float) -> Piece:
    """`up by 12 points`, coloured by its direction."""
    if abs(change) < STILL:
        return Piece("by less than 0.1 points")
    return (
        Piece(f"up by {amount(change)}", "for")
        if change > 0
        else Piece(f"down by {amount(change)}", "against")
    )


def _traced(before: float, by_name: dict[str, Lane], what: str) -> list[Piece]:
    lane = by_name[FOR]
    said = [*_each(before, lane, "traced passage", what), Piece(".")]
    random = by_name.get(RANDOM)
    if random and len(random.dots) > 1 and _highest(lane) <= _highest(random):
        said.append(Piece(" None of them stands out: a random passage moves it as much."))
    return said


def _words(before: float, by_name: dict[str, Lane], what: str) -> list[Piece]:
    lane = by_name[WORDS]
    count = len(lane.dots)
    if FOR in by_name:
        shared = len({dot.passage_id for dot in lane.dots} & {dot.passage_id for dot in by_name[FOR].dots})
        whose = "its own" if count == 1 else f"its first {in_words(count)}"
        said = [Piece(f"Word search finds {_some(shared, len(by_name[FOR].dots))}; {whose} ")]
        said += [Piece(f"moves {what} " if count == 1 else f"move {what} "), moved(_mean(before, lane))]
        said += [Piece(" on average")] * (count > 1)
    else:
        said = _each(before, lane, "passage that word search finds", what)
    return [*said, *_contrary(before, lane), Piece(".")]


def _random(before: float, by_name: dict[str, Lane], what: str) -> list[Piece]:
    lane = by_name[RANDOM]
    passages = "random passage" if len(lane.dots) == 1 else "random passages"
    verb = "moves" if len(lane.dots) == 1 else "move"
    average = " on average" if len(lane.dots) > 1 else ""
    return [
        Piece(f"{in_words(len(lane.dots)).capitalize()} {passages} {verb} {what} "),
        moved(_mean(before, lane)),
        Piece(f"{average}."),
    ]


def _against(before: float, by_name: dict[str, Lane], what: str) -> list[Piece]:
    lane = by_name[AGAINST]
    count = len(lane.dots)
    whose = "The passage" if count == 1 else f"The {in_words(count)} passages"
    verb = "moves" if count == 1 else "move"
    average = " on average" if count > 1 else ""
    return [
        Piece(f"{whose} traced the other way {verb} {what} "),
        moved(_mean(before, lane)),
        Piece(f"{average}."),
    ]


def _each(before: float, lane: Lane, noun: str, what: str) -> list[Piece]:
    count = len(lane.dots)
    if count == 1:
        return [Piece(f"One training step on the {noun} moves {what} "), moved(_mean(before, lane))]
    start = f"One training step on each of {in_words(count)} {_many(noun)} moves {what} "
    return [Piece(start), moved(_mean(before, lane)), Piece(" on average")]


def _many(noun: str) -> str:
    return noun.replace("passage", "passages", 1)


def _short(answer: str) -> str:
    words = " ".join(answer.split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def _some(shared: int, of: int) -> str:
    if of == 1:
        return "it too" if shared else "another"
    if shared in (0, of):
        return "all of them" if shared else "none of them"
    return f"{in_words(shared)} of them"


def contrary(before: float, lane: Lane) -> Dot | None:
    """The passage that moves the answer furthest against its lane's mean, where it does so by far."""
    mean = _mean(before, lane)
    if len(lane.dots) < 2 or abs(mean) < STILL:
        return None
    change, dot = max(
        zip(changes(before, lane.dots), lane.dots, strict=True), key=lambda e: -e[0] if mean > 0 else e[0]
    )
    return None if change * mean >= 0 or abs(change) < FAR else dot


def _contrary(before: float, lane: Lane) -> list[Piece]:
    dot = contrary(before, lane)
    if dot is None:
        return []
    at = dot.rank or lane.dots.index(dot) + 1
    return [Piece(f", but its {ordinal(at)} moves it "), moved(100 * (dot.after - before))]


def ordinal(rank: int) -> str:
    """`second`, `number 12`."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    return words[rank - 1] if rank <= len(words) else f"number {rank}"


def _highest(lane: Lane) -> float:
    return max(dot.after for dot in lane.dots)


def _mean(before: float, lane: Lane) -> float:
    mean = mean_change(before, lane)
    assert mean is not None, "an empty lane has no verdict"
    return mean
