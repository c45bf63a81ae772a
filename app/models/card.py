"""What the files beside a checkpoint's weights say of it: size, training, who made it, under which licence.

    config.json     Hugging Face's configuration: architecture, layers, width, vocabulary, context
    training.json   how it was trained, as `startrail pretrain` writes it
    README.md       a model card: YAML between two lines of `---`, then a text

Any of them may be missing or damaged: a card is what could be read, never an error. Knows no torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.places import noted_address

LARGEST = 1_000_000  # bytes of a file that is read
LONGEST = 400  # characters of what a card says of one thing
HUB = "https://huggingface.co/"
# What pages call it -> what configurations call it.
SIZES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "attention heads": ("num_attention_heads", "n_head", "num_heads"),
    "vocabulary": ("vocab_size",),
    "context": ("max_position_embeddings", "n_positions", "n_ctx"),
}
TRAINED = ("passages", "tokens", "steps", "final_loss", "seconds")
SETTINGS = ("epochs", "batch_size", "learning_rate", "seed")


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model. `facts`: name -> number or text, and under `training` the same of how it was trained."""

    description: str = ""
    source: str = ""
    licence: str = ""
    author: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def read_card(directory: Path) -> ModelCard:
    """The card of the checkpoint in `directory`."""
    said, text = _readme(directory / "README.md")
    source, author = _where_from(directory)
    return ModelCard(
        description=_text(said.get("description")) or text,
        source=_text(said.get("source")) or source,
        licence=_text(said.get("license_name")) or _text(said.get("license") or said.get("licence")),
        author=_text(said.get("author") or said.get("authors")) or author,
        facts=_facts(directory),
    )


def _facts(directory: Path) -> dict[str, Any]:
    config, training = _json(directory / "config.json"), _json(directory / "training.json")
    facts: dict[str, Any] = {}
    if architectures := config.get("architectures"):
        facts["architecture"] = _text(architectures)
    for name, keys in SIZES.items():
        if numbers := [config[key] for key in keys if _is_number(config.get(key))]:
            facts[name] = numbers[0]
    settings = training.get("config")
    settings = settings if isinstance(settings, dict) else {}
    trained = {name: training[name] for name in TRAINED if _is_number(training.get(name))}
    trained |= {name: settings[name] for name in SETTINGS if _is_number(settings.get(name))}
    if trained:
        facts["training"] = {name.replace("_", " "): value for name, value in trained.items()}
    if taken := _taken_as(config, _json(directory / "adapter_config.json")):
        facts["taken as"] = taken
    if revision := _revision(directory):
        facts["revision"] = revision
    return facts


def _taken_as(config: Mapping[str, Any], adapter: Mapping[str, Any]) -> str:
    """How the files are read, where they are not one plain model."""
    said = []
    if isinstance(config.get("text_config"), dict):
        said.append(f"the text model of a {_text(config.get('model_type'))} checkpoint")
    if adapter:
        base = _text(adapter.get("base_model_name_or_path")).rpartition("/")[2]
        said.append(f"a {_text(adapter.get('peft_type')) or 'PEFT'} adapter on {base or 'its base'}")
    return "; ".join(said)


def _revision(directory: Path) -> str:
    """The commit of a model that lies where the hub's client keeps what it fetched."""
    parts = directory.resolve().parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else ""


def _where_from(directory: Path) -> tuple[str, str]:
    """Address and owner of a model that lies where the hub's client keeps what it fetched; else the address it was fetched
    from, if from one.
    """
    for part in directory.resolve().parts:
        if part.startswith("models--") and part.count("--") == 2:
            _, owner, name = part.split("--")
            return f"{HUB}{owner}/{name}", owner
    return noted_address(directory).get("address", ""), ""


def _readme(file: Path) -> tuple[Mapping[str, Any], str]:
    """The YAML at the head of a model card, and the first paragraph of its text."""
    text = _read(file)
    said: Any = {}
    if text.startswith("---\n"):
        head, _, text = text[4:].partition("\n---")
        try:
            said = yaml.safe_load(head)
        except (yaml.YAMLError, ValueError, RecursionError):
            said = {}
    paragraphs = (" ".join(each.split()) for each in text.split("\n\n"))
    first = next((each for each in paragraphs if each[:1].isalnum()), "")
    return said if isinstance(said, dict) else {}, _text(first)


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(file) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _text(value: Any) -> str:
    """A text, or several of them in a row; anything else says nothing."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))[:LONGEST]
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    """Whether it is a number that JSON and every database can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18
