"""Where the loss of a training example falls: on the answers, as the model reads them, and nowhere else."""

from collections.abc import Callable
from typing import Any

import pytest

from app.errors import UserError
from app.models.load import LoadedModel
from app.words.roles import RoledText
from tests.support.lessons import (
    CHAT,
    CHAT_PAIR,
    COMPLETION,
    LONGER,
    MARKED,
    PAIR,
    TEMPLATE,
    assistant,
    chatting,
    lesson,
    user,
)

Load = Callable[..., LoadedModel]


def learned(loaded: LoadedModel, record: dict[str, Any]) -> list[str]:
    """What carries loss, token by token, in each sequence."""
    (example,) = loaded.texts.passages([lesson(record)])
    return [loaded.tokenizer.decode([one.ids[at] for at in one.targets]) for one in example.sequences]


def read(loaded: LoadedModel, record: dict[str, Any]) -> list[str]:
    """What the model reads, sequence by sequence."""
    (example,) = loaded.texts.passages([lesson(record)])
    return [loaded.tokenizer.decode(one.ids) for one in example.sequences]


def test_of_a_completion_the_prompt_is_only_read(load: Load) -> None:
    loaded = load("llama")
    assert read(loaded, COMPLETION) == ["<s>The capital of France is Paris, on the Seine.</s>"]
    assert learned(loaded, COMPLETION) == [" Paris, on the Seine.</s>"]


def test_a_chat_is_written_by_the_models_own_template_and_learned_with_the_end_of_each_answer(
    load: Load,
) -> None:
    loaded = chatting(load("llama"))
    assert read(loaded, LONGER)[0].startswith("[system] Be brief.</s>\n[user] Metal?</s>\n[assistant] Cop")
    assert learned(loaded, LONGER) == ["Copper.</s>Zinc.</s>"]


def test_what_a_template_marks_as_written_by_the_model_is_learned_and_no_more(load: Load) -> None:
    loaded = chatting(load("llama"), MARKED)
    assert learned(loaded, LONGER) == [" Copper.</s>  Zinc.\n</s>"]
    context = {"prompt": [user("A"), assistant("B"), user("C")], "completion": [assistant("D")]}
    assert learned(loaded, context) == [" D</s>"]


def test_words_of_a_user_that_look_like_the_templates_carry_no_loss(load: Load) -> None:
    """Searching for what was said would find "assistant" in the template, and "Copper." in the question."""
    loaded = chatting(load("llama"))
    record = {
        "messages": [user("assistant"), assistant("assistant"), user("Copper. ]"), assistant("Copper.")]
    }
    assert learned(loaded, record) == ["assistant</s>Copper.</s>"]


@pytest.mark.parametrize(
    ("record", "answers"),
    [(PAIR, (" Germany.</s>", " the sea, by the river.</s>")), (CHAT_PAIR, ("By the sea.</s>", "No.</s>"))],
)
def test_a_pair_is_two_sequences_each_after_the_prompt(
    load: Load, record: dict[str, Any], answers: tuple[str, str]
) -> None:
    loaded = chatting(load("llama"))
    assert tuple(learned(loaded, record)) == answers
    first, second = read(loaded, record)
    assert first.removesuffix(answers[0].strip()).rstrip()[:12] == second[:12]


def test_tokens_are_found_again_in_the_text_that_people_read(load: Load) -> None:
    loaded = chatting(load("llama"))
    for record in (COMPLETION, LONGER, PAIR, CHAT_PAIR):
        made = lesson(record)
        assert isinstance(made, RoledText)
        located = loaded.texts.located_passage(made)
        for sequence, offsets in zip(
            located.example.sequences, (located.offsets, located.against), strict=False
        ):
            for at in sequence.targets:
                start, end = offsets[at] or (0, 0)
                piece = loaded.tokenizer.decode([sequence.ids[at]])
                assert piece.strip() == made.text[start:end].strip() or start == end or piece == "</s>"


def test_what_the_context_cuts_off_teaches_nothing(load: Load) -> None:
    loaded = load("llama")
    long = "The fox ran. " * 40
    whole = {"prompt": "Two", "completion": long}
    (cut, nothing, pair) = loaded.texts.passages(
        [
            lesson(whole),
            lesson({"prompt": long, "completion": "!"}),
            lesson({"prompt": long, "chosen": "a", "rejected": "b"}),
        ]
    )
    assert (len(cut.ids), cut.cut, bool(cut.targets)) == (loaded.context, True, True)
    assert (nothing.targets, nothing.cut) == ((), True)
    assert (pair.ids, pair.against, pair.cut) == ((), None, True)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "no chat template"),
        ("{{ raise_exception('Roles must alternate.') }}", "Roles must alternate"),
        ("{{ messages[-1].content }}", "does not write all"),
        (TEMPLATE.replace("| trim", "| upper"), "does not write all"),
    ],
)
def test_a_template_that_cannot_write_the_chat_is_named(load: Load, template: str, message: str) -> None:
    """Qwen's drops reasoning from earlier turns: then no place of what follows would be right."""
    loaded = chatting(load("llama"), template)
    with pytest.raises(UserError, match=message):
        loaded.texts.passages([lesson(CHAT)])
