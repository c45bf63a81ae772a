"""A model's chat template, read from its files: what the site needs of a tokenizer to write a chat, without loading torch."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

_TEMPLATE = "chat_template"


class TemplateFiles:
    """Answers what `app.models.chats` asks of a tokenizer, for a checkpoint directory.

    Args:
        chat_template: the template; empty where the model has none.
        words: the tokens that a template may name: `bos_token` and the like.
    """

    def __init__(self, chat_template: str, words: dict[str, str]) -> None:
        self.chat_template = chat_template
        self.words = words

    @classmethod
    def read(cls, model: Path) -> "TemplateFiles":
        """Those of a directory; a file that is missing or cannot be read says nothing."""
        files = (model / "tokenizer_config.json", model / f"{_TEMPLATE}.jinja")
        return _read(*((str(file), file.stat().st_mtime_ns if file.is_file() else 0) for file in files))

    def get_chat_template(self) -> str:
        """The template."""
        return self.chat_template

    def apply_chat_template(
        self, messages: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """The chat in the template's words.

        Raises:
            jinja2.TemplateError: the template refuses these turns.
        """
        from transformers.utils.chat_template_utils import render_jinja_template

        written, _ = render_jinja_template(
            conversations=[messages],
            chat_template=self.chat_template,
            add_generation_prompt=add_generation_prompt,
            **self.words,
        )
        return str(written[0])


@lru_cache(8)
def _read(configuration: tuple[str, int], template: tuple[str, int]) -> TemplateFiles:
    found: dict[str, Any] = {}
    if configuration[1]:
        try:
            found = dict(json.loads(Path(configuration[0]).read_bytes()))
        except (ValueError, TypeError):
            found = {}
    words = {
        name: word
        for name, value in found.items()
        if name.endswith("_token")
        and isinstance(word := value.get("content") if isinstance(value, dict) else value, str)
    }
    own = found.get(_TEMPLATE)
    if isinstance(own, list):  # several by name
        named = {each.get("name"): each.get("template") for each in own if isinstance(each, dict)}
        own = named.get("default")
    if template[1]:
        try:
            own = Path(template[0]).read_text(encoding="utf-8")
        except (OSError, ValueError):
            own = None
    return TemplateFiles(own if isinstance(own, str) else "", words)
