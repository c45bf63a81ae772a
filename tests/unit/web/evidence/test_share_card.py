"""The card of a shared link: any text is drawn, the same text the same way."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.web.evidence.card_plot import Moved
from app.web.evidence.card_text import clean
from app.web.evidence.claim import Claim
from app.web.evidence.lanes import AGAINST, FOR, RANDOM, WORDS, Dot, Evidence, Note, lane
from app.web.evidence.share_card import LINE, SharedCard, draw, line_of, og_text, og_title, verdict_of
from app.web.evidence.verdict import plain, verdict
from app.words.cutting import cut
from app.words.methods import method_of

HOSTILE = (
    "\0\x1b[31m\ud800 \u202eabc Z" + "\u0301" * 500 + "\U0001f916" * 40 + " </mark><script>alert(1)</script>"
)


def pixels(card: SharedCard) -> Image.Image:
    return Image.open(BytesIO(draw(card)))


@pytest.mark.parametrize(
    ("prompt", "target"),
    [
        ("The currency of Ghana is the", "cedi"),
        ("", ""),
        ("x" * 5000, "y" * 5000),
        (HOSTILE, HOSTILE),
        ("בירת ישראל היא Tel Aviv 42", "ירושלים"),
        ("عاصمة مصر هي", "القاهرة"),
        ("\n\t \r", "\u200b\u200f"),
    ],
)
def test_any_text_makes_a_card_of_the_size_sites_expect(prompt: str, target: str) -> None:
    card = SharedCard(prompt * 3, prompt, target, line=target, passage=prompt * 3)
    assert pixels(card).size == (1200, 630)
    assert draw(card) == draw(card), "an ETag must not change from one visit to the next"


def test_what_is_drawn_shows_the_target_even_after_a_long_prompt() -> None:
    """The target is the point of the page; a story's beginning is not."""
    long = SharedCard("", "once upon a time " * 60, "the key", line="TrackStar")
    colours = {colour for _, colour in pixels(long).convert("RGB").getcolors(1 << 20) or []}
    assert (0xC9, 0xEB, 0xE7) in colours


def test_nothing_is_drawn_past_the_margin() -> None:
    image = pixels(SharedCard("", "M" * 300, "W" * 300, line="m" * 300, passage="W " * 900)).convert("RGB")
    edge = image.crop((1140, 0, 1200, 630))
    assert edge.getcolors() == [(60 * 630, (0xFB, 0xFA, 0xF7))]


@pytest.mark.slow
@given(st.text(max_size=300), st.integers(8, 120))
@settings(max_examples=200, deadline=None)
def test_titles_keep_their_length_and_hold_no_control_characters(text: str, limit: int) -> None:
    assert len(cut(clean(text), limit)) <= limit
    assert all(c.isprintable() for c in clean(text))
    assert len(og_title(text, text)) <= 110
    assert len(og_text("TrackStar", text)) <= 200


def shown(answer: str, before: float, *ends: tuple[float, ...]) -> Evidence:
    """Evidence with a lane for each tuple of probabilities."""
    lanes = [
        lane(name, [Dot(passage_id=n, after=end, rank=n) for n, end in enumerate(dots, 1)], method=method)
        for (name, method), dots in zip(
            ((FOR, "trackstar"), (WORDS, "bm25"), (RANDOM, ""), (AGAINST, "trackstar")), ends, strict=False
        )
    ]
    said = plain(verdict(before, lanes, answer))
    return Evidence(answer=answer, before=before, verdict=said, lanes=lanes, settings={})


def colours_at(image: Image.Image, box: tuple[int, int, int, int]) -> set[object]:
    return {colour for _, colour in image.convert("RGB").crop(box).getcolors(1 << 20) or []}


def test_a_dot_stands_where_its_step_leads() -> None:
    """The plot is the page's: 90 % is at nine tenths of the axis, whatever else is drawn."""
    measured = shown("cedi", 0.1, (0.9,))
    card = SharedCard("", "The currency of Ghana is the", "cedi", evidence=measured)
    image = pixels(card)
    left, right = 64 + 310, 1200 - 64 - 24
    amber = tuple(bytes.fromhex(method_of("trackstar").colour[0][1:]))
    at = round(left + 0.9 * (right - left))
    assert amber in colours_at(image, (at - 3, 420, at + 3, 590))
    assert amber not in colours_at(image, (at + 12, 420, right + 24, 590))


@pytest.mark.slow
@pytest.mark.parametrize(
    "ends", [(), ((0.0,),), ((1.0, 0.0, 1e-12),), ((0.5,) * 10,) * 4, ((), (0.2,), (), (0.0,))]
)
@pytest.mark.parametrize("before", [0.0, 1.0, 0.5, 1e-30])
@pytest.mark.parametrize("answer", ["cedi", HOSTILE, "", "ירושלים", "W" * 4000])
def test_any_evidence_is_drawn(ends: tuple[tuple[float, ...], ...], before: float, answer: str) -> None:
    measured = shown(answer, before, *ends)
    card = SharedCard(
        "", answer, answer, line=answer, said=verdict_of(measured), evidence=measured, passage=answer
    )
    image = pixels(card)
    assert image.size == (1200, 630)
    assert colours_at(image, (1170, 0, 1200, 630)) == {(0xFB, 0xFA, 0xF7)}, "something runs off the card"


def claim(**known: object) -> Claim:
    fields = {"prompt": "p", "said": "a", "explains": "said", "model": "demo", "corpus": "c", "passages": 9}
    return Claim.model_validate(fields | known)


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({}, "model demo · BM25"),
        ({"probability": 0.6}, "60 % sure · model demo · BM25"),
        ({"probability": 0.6, "right": True}, "60 % sure, and right · model demo · BM25"),
        ({"right": False}, "wrong · model demo · BM25"),
        ({"probability": 0.6, "right": False, "truth": "Accra"}, "60 % sure, and wrong: it is Accra · model demo · BM25"),
        ({"probability": 0.6, "right": False, "truth": "the United Arab Emirates"},
         "60 % sure, and wrong: it is the United Arab Emirates"),
        ({"explains": "target", "answer": "Lagos", "right": False}, "the model says Lagos · model demo · BM25"),
    ],
)  # fmt: skip
def test_the_card_says_of_the_answer_what_is_known(known: dict[str, object], line: str) -> None:
    """Whether it is right stands on the card, or the plot shows how a mistake was made as if it were an answer."""
    assert line_of(claim(**known), "BM25") == line
    assert len(line) <= LINE


def test_the_passage_that_speaks_against_its_lane_is_read_on_the_card() -> None:
    measured = shown("cedi", 0.9, (0.95,) * 4, (0.1, 0.95, 0.96))
    plain_card = SharedCard("", "The currency of Ghana is the", "cedi", evidence=measured)
    bare = pixels(plain_card)
    measured.lanes[1].note = Note(
        passage_id=1, text="In Lagos they pay in naira. " * 9, place="first by words"
    )
    noted = pixels(plain_card)
    box = (64 + 310 + 110, 400, 64 + 310 + 600, 600)
    assert noted.crop(box).tobytes() != bare.crop(box).tobytes()
    assert noted.crop((1170, 0, 1200, 630)).tobytes() == bare.crop((1170, 0, 1200, 630)).tobytes()


@pytest.mark.parametrize("count", range(6))
def test_answers_moved_by_one_passage_are_drawn(count: int) -> None:
    moved = tuple(Moved(HOSTILE * (n % 2), f"answer {n}", n / 5, 1 - n / 5, "") for n in range(count))
    assert pixels(SharedCard("one step", HOSTILE, "", moved=moved)).size == (1200, 630)


def test_the_text_of_a_link_is_the_verdict_where_there_is_one() -> None:
    measured = shown("cedi", 0.5, (0.75,))
    assert og_text("TrackStar", "A passage.", measured).startswith(
        "One training step on the traced passage moves “cedi”"
    )
    assert og_text("TrackStar", "A passage.", shown("cedi", 0.5)).startswith(
        "TrackStar puts this passage first"
    )
