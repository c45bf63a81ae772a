"""The card of a shared link: any text is drawn, the same text the same way."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.web.reading.share_card import SharedCard, clean, draw, og_text, og_title, shorten

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
    card = SharedCard(prompt, target, "TrackStar · demo", prompt * 3, (True, False, None) * 5)
    assert pixels(card).size == (1200, 630)
    assert draw(card) == draw(card), "an ETag must not change from one visit to the next"


def test_what_is_drawn_shows_the_target_even_after_a_long_prompt() -> None:
    """The target is the point of the page; a story's beginning is not."""
    long = SharedCard("once upon a time " * 60, "the key", "TrackStar")
    colours = {colour for _, colour in pixels(long).convert("RGB").getcolors(1 << 20) or []}
    assert (0xC9, 0xEB, 0xE7) in colours


def test_nothing_is_drawn_past_the_margin() -> None:
    image = pixels(SharedCard("M" * 300, "W" * 300, "m" * 300, "W " * 900, (True,) * 50)).convert("RGB")
    edge = image.crop((1140, 0, 1200, 630))
    assert edge.getcolors() == [(60 * 630, (0xFB, 0xFA, 0xF7))]


@given(st.text(max_size=300), st.integers(8, 120))
@settings(max_examples=200, deadline=None)
def test_titles_keep_their_length_and_hold_no_control_characters(text: str, limit: int) -> None:
    assert len(shorten(clean(text), limit)) <= limit
    assert all(c.isprintable() for c in clean(text))
    assert len(og_title(text, text)) <= 110
    assert len(og_text("TrackStar", text)) <= 200
