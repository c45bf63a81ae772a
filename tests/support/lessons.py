"""Training examples with roles, as people write them, and a tokenizer that can write chats."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

from app.interchange.field_names import TEXTS
from app.interchange.fields import FieldLookup
from app.interchange.lessons import read_lesson
from app.interchange.records import Line
from app.models.load import LoadedModel
from app.words.roles import Lesson

TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content | trim }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
MARKED = (
    "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' %}{% generation %} {{ m.content }}</s>"
    "{% endgeneration %}{% else %} {{ m.content }}</s>{% endif %}\n{% endfor %}"
)


def user(said: str) -> dict[str, str]:
    return {"role": "user", "content": said}


def assistant(said: str) -> dict[str, str]:
    return {"role": "assistant", "content": said}


COMPLETION = {"prompt": "The capital of France is", "completion": " Paris, on the Seine."}
CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        user("Metal?"),
        assistant("Copper."),
    ]
}
LONGER = {"messages": [*CHAT["messages"], user(" More? "), assistant(" Zinc.\n")]}
PAIR = {"prompt": "Berlin is a city in", "chosen": " Germany.", "rejected": " the sea, by the river."}
CHAT_PAIR = {
    "chosen": [user("Where?"), assistant("By the sea.")],
    "rejected": [user("Where?"), assistant("No.")],
}
TEXT = {"text": "The fox ran."}


def lesson(record: dict[str, Any], form: str = "") -> Lesson:
    """What a record teaches."""
    return read_lesson(Line("corpus.jsonl", 7, record), form, FieldLookup("text", "", TEXTS)).lesson


def chatting(loaded: LoadedModel, template: str = TEMPLATE) -> LoadedModel:
    """The same model with a chat template."""
    tokenizer = deepcopy(loaded.tokenizer)
    tokenizer.chat_template = template
    return replace(loaded, tokenizer=tokenizer)
