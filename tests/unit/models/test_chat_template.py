"""What the site writes of a chat, which knows no torch, is to the letter what the model's own tokenizer writes; a file that is
odd says nothing, and a template that fails is refused in words.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from app.errors import UserError
from app.models.chat_template import TemplateFiles
from app.models.chats import placed_turns
from app.models.text import Query, Texts
from tests.support.lessons import TEMPLATE

CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TURNS = [("user", "Where is it?"), ("assistant", "Here."), ("user", "And now, {{ 1 }}?")]


@pytest.fixture
def model(checkpoints: Callable[..., Path], tmp_path: Path) -> Path:
    """A checkpoint's directory, to put templates in."""
    return Path(shutil.copytree(checkpoints(), tmp_path / "model"))


def put(model: Path, template: object, *, beside: bool) -> None:
    """A template as files have it: in a file of its own, or within the tokenizer's configuration."""
    if beside:
        (model / "chat_template.jinja").write_text(str(template))
        return
    file = model / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"chat_template": template}))


@pytest.mark.parametrize("beside", [True, False], ids=["jinja", "configuration"])
@pytest.mark.parametrize(
    "template", [TEMPLATE, CHATML, LLAMA, GEMMA], ids=["plain", "chatml", "llama", "gemma"]
)
def test_a_chat_is_written_as_the_tokenizer_writes_it(model: Path, template: str, beside: bool) -> None:
    put(model, template, beside=beside)
    own = AutoTokenizer.from_pretrained(model)
    for turns, answers in ((TURNS, True), (TURNS[:2], False)):
        text, places = placed_turns(TemplateFiles.read(model), turns, answers=answers)
        assert (text, places) == placed_turns(own, turns, answers=answers)
        assert [text[start:end] for start, end, _ in places] == [said for _, said in turns]


def test_of_several_templates_the_default_one_is_taken(model: Path) -> None:
    put(model, [{"name": "tools", "template": "x"}, {"name": "default", "template": CHATML}], beside=False)
    assert TemplateFiles.read(model).chat_template == CHATML


@pytest.mark.parametrize(
    "content",
    [
        b"[1]",
        b"{",
        b"\xff\xfe",
        b'{"bos_token": {"id": 1}, "chat_template": [7, {"name": "default"}, {"template": "x"}]}',
        b'{"chat_template": {"default": "x"}, "eos_token": 3}',
    ],
)
def test_a_configuration_that_is_odd_has_no_template(tmp_path: Path, content: bytes) -> None:
    """The form to ask reads the files of every model: one that is broken must not take it away."""
    (tmp_path / "tokenizer_config.json").write_bytes(content)
    assert TemplateFiles.read(tmp_path).chat_template == ""
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff\xfe\x00")
    assert TemplateFiles.read(tmp_path).chat_template == ""


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ messages.__class__.__mro__ }}",
        "{% for m in messages %}",
        "{{ nobody.said.it }}",
        "{{ 'x' * 10 ** 3 + 1 }}",
        "{{ messages[0].content }}",
        GEMMA,
    ],
)
def test_a_template_that_fails_is_refused_in_words(tmp_path: Path, template: str) -> None:
    put(tmp_path, template, beside=True)
    with pytest.raises(UserError, match="chat template"):
        placed_turns(TemplateFiles.read(tmp_path), [("system", "Be brief."), ("user", "Where?")])


def test_the_start_token_stands_once_where_the_template_writes_it(model: Path) -> None:
    """Twice is another text to the model: most that add it to texts have it in their template, too."""
    put(model, LLAMA, beside=True)
    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = Texts(tokenizer, 512)
    assert texts.start, "this model's texts begin with one"
    written, _ = placed_turns(TemplateFiles.read(model), TURNS[:1], answers=True)
    assert texts.prompt(written).count(texts.start[0]) == 1
    assert texts.prompt("Where?").count(texts.start[0]) == 1
    located = texts.located_query(Query(written, "Here."))
    assert len(located.offsets) == len(located.example.ids)
    assert located.offsets[-1][1] == len(written) + len("Here.")
