"""What people fine-tune on becomes a text with roles: every shape by the fields it has, and a clear word where none fits."""

from typing import Any

import pytest

from app.errors import UserError
from app.interchange.fields import Fields
from app.interchange.plain import as_passages
from app.interchange.records import Line
from app.interchange.sift import Sift
from app.store.corpora import PassageRecord
from app.words.roles import RoledText
from tests.support.lessons import CHAT, CHAT_PAIR, COMPLETION, PAIR, assistant, lesson, user


def said(record: dict[str, Any], form: str = "") -> list[tuple[str, str, int]]:
    made = lesson(record, form)
    assert isinstance(made, RoledText)
    return [(each.role, made.said(each), each.loss) for each in made.segments]


def test_a_prompt_with_its_completion_is_read_as_it_stands() -> None:
    made = lesson(COMPLETION)
    assert isinstance(made, RoledText)
    assert made.text == "The capital of France is Paris, on the Seine."
    assert said(COMPLETION) == [
        ("prompt", "The capital of France is", 0),
        ("completion", " Paris, on the Seine.", 1),
    ]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [user("Where?"), assistant("Here.")]},
        {"conversations": [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "Here."}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Where?"}]}, assistant("Here.")]},
        {"prompt": [user("Where?")], "completion": [assistant("Here.")]},
        {"prompt": "unused", "messages": [user("Where?"), assistant("Here.")], "prompt_id": "7"},
    ],
    ids=["messages", "ShareGPT", "parts", "turns as prompt and completion", "ultrachat"],
)
def test_a_chat_is_its_turns_of_which_the_assistants_are_learned(record: dict[str, Any]) -> None:
    assert said(record) == [("user", "Where?", 0), ("assistant", "Here.", 1)]


def test_turns_of_the_prompt_are_read_only_whoever_said_them() -> None:
    """TRL takes the loss over the completion: an answer that stands in the prompt is context."""
    record = {"prompt": [user("A"), assistant("B"), user("C")], "completion": [assistant("D")]}
    assert [loss for *_, loss in said(record)] == [0, 0, 0, 1]


def test_a_pair_is_a_prompt_with_two_answers() -> None:
    assert said(PAIR) == [
        ("prompt", "Berlin is a city in", 0),
        ("chosen", " Germany.", 1),
        ("rejected", " the sea, by the river.", -1),
    ]
    turns = [("user", "Where?", 0), ("assistant", "By the sea.", 1), ("assistant", "No.", -1)]
    given = {"prompt": [user("Where?")], "chosen": [assistant("By the sea.")], "rejected": [assistant("No.")]}
    assert said(CHAT_PAIR) == said(given) == turns


def test_what_both_answers_of_a_pair_begin_with_is_its_prompt() -> None:
    """As hh-rlhf is published; parted between words, so that the answers are whole ones."""
    record = {"chosen": "Human: hi\n\nAssistant: hello", "rejected": "Human: hi\n\nAssistant: hey"}
    assert said(record) == [
        ("prompt", "Human: hi\n\nAssistant:", 0),
        ("chosen", " hello", 1),
        ("rejected", " hey", -1),
    ]


def test_a_text_is_learned_whole_and_the_form_can_be_told() -> None:
    record = {"text": "All of it.", **COMPLETION}
    assert lesson(record) == "All of it."
    assert [role for role, *_ in said(record, "completion")] == ["prompt", "completion"]


@pytest.mark.parametrize(
    ("record", "form", "message"),
    [
        ({"messages": [user("Where?")]}, "", "says nothing"),
        ({"messages": "Where?"}, "", "not a list of turns"),
        ({"messages": [{"content": "Where?"}]}, "", "whose it is"),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}]}, "", "calls a tool"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "", "not text"),
        ({"messages": [{"role": "chosen", "content": "x"}]}, "", "no role in a chat"),
        ({"prompt": "A", "completion": [assistant("B")]}, "", "not of the kind"),
        ({"prompt": "A", "chosen": "B", "rejected": "B"}, "", "same as what was chosen"),
        ({"chosen": [user("A"), assistant("B")], "rejected": [user("A"), user("C")]}, "", "more than one answer"),
        ({"prompt": "A"}, "", "There is no text"),
        ({"text": "A"}, "chat", "not a list of turns"),
        ({"text": "A"}, "sft", "no form of a passage"),
    ],
)  # fmt: skip
def test_what_has_no_shape_is_refused_with_its_line(record: dict[str, Any], form: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        lesson(record, form)
    assert error.value.line == 7 or form == "sft"


def test_what_is_kept_comes_back_as_it_was() -> None:
    from app.words.roles import lesson as kept

    for record in (COMPLETION, CHAT, PAIR, CHAT_PAIR):
        made = lesson(record)
        assert isinstance(made, RoledText)
        assert kept(made.text, made.as_list()) == made


def test_packed_texts_are_taken_apart_at_their_borders() -> None:
    """What a training packed into one sequence were texts of their own; none was learned after another's words."""
    packed = PassageRecord("7", "The fox ran.<|end|>Two and three.<|end|> <|end|>", {"source": "web"})
    chat = PassageRecord("8", lesson({"messages": [user("a<|end|>b"), assistant("c")]}))
    made = list(Sift(split_at="<|end|>")([packed, chat]))
    assert [(each.external_id, each.text) for each in made] == [
        ("7#0", "The fox ran."),
        ("7#1", "Two and three."),
        ("8", "a<|end|>b\n\nc"),
    ]
    assert all(packed.text[each.meta["start"] : each.meta["end"]] == each.text for each in made[:2])
    assert made[0].meta["source"] == "web"


def test_passages_with_roles_are_never_cut_into_pieces() -> None:
    """The second half of a chat is no chat: it would be learned as a text."""
    chat = PassageRecord("8", lesson({"messages": [user("a b c d e f g"), assistant("h i j k")]}))
    assert list(Sift(chunk_tokens=3)([chat])) == [chat]


def test_prompt_and_completion_under_other_names() -> None:
    """As Alpaca has them, with the whole beside: what was named is what is learned."""
    record = {"instruction": "Two and two?", "output": "Four.", "text": "Two and two? Four."}
    fields = Fields(prompt="instruction", target="output")
    (passage,) = as_passages([Line("alpaca.jsonl", 1, record)], fields)
    assert passage.lesson == RoledText.of(
        [("prompt", "Two and two?", 0), ("completion", "Four.", 1)], between=""
    )
    assert passage.meta == {"text": "Two and two? Four."}
    with pytest.raises(UserError, match="has “prompt”, too"):
        list(as_passages([Line("alpaca.jsonl", 1, record | {"prompt": "?"})], fields))
