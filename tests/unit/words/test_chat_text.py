"""A chat in a template's words is shown as its turns, and never anything else as a chat."""

import pytest

from app.words.chat_text import chat_turns, read_on, spoken, turns_written

CHATML = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhere is it?<|im_end|>\n<|im_start|>assistant\n"
LLAMA = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhere is it?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
GEMMA = "<bos><start_of_turn>user\nWhere is it?<end_of_turn>\n<start_of_turn>model\n"
PHI = "<|user|>\nWhere is it?<|end|>\n<|assistant|>\n"


def told(text: str) -> list[tuple[str, str]]:
    return [(turn.role, text[turn.start : turn.end]) for turn in chat_turns(text)]


@pytest.mark.parametrize("text", [CHATML, LLAMA, GEMMA, PHI])
def test_turns_are_found_in_the_words_of_each_template(text: str) -> None:
    assert told(text)[-2:] == [("user", "Where is it?"), ("assistant", "")]
    assert spoken(text) == "Where is it?"
    assert read_on(text, "At the quay.") == "Where is it? At the quay."
    assert read_on(f"{text}At the", " quay.") == "Where is it? At the quay."


def test_several_turns_stand_in_their_order() -> None:
    text = f"{CHATML}There.<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\n"
    assert told(text) == [
        ("system", "Be brief."),
        ("user", "Where is it?"),
        ("assistant", "There."),
        ("user", "And now?"),
        ("assistant", ""),
    ]
    assert spoken(text) == "And now?"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The capital of France is",
        "He typed <|im_start|>user\nand waited.",
        f"{CHATML[:-22]}and then?\n{CHATML}",
        "<|im_start|>user\nnever ended<|im_start|>assistant\n",
        "<|im_start|>user\nsaid<|im_end|>\nsomething between<|im_start|>assistant\n",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert chat_turns(text) == ()
    assert spoken(text) == text
    assert read_on(text, " x") == f"{text} x"


def test_turns_are_typed_line_by_line() -> None:
    """As people write a dialogue; a question alone is a user's, and a colon inside a line begins nothing."""
    assert turns_written("Where is it?") == [("user", "Where is it?")]
    assert turns_written("System: Be brief.\nuser: Two lines:\nwhere is it?\n\nassistant: There.") == [
        ("system", "Be brief."),
        ("user", "Two lines:\nwhere is it?"),
        ("assistant", "There."),
    ]
