"""A model card is what could be read: checkpoints come with every kind of it, whole, foreign, damaged or none."""

import json
from pathlib import Path

import pytest

from app.models.card import LONGEST, ModelCard, read_card

README = """---
license: cc-by-4.0
authors: [Ann, Bob]
datasets:
- owner/web
---

# A title, which says nothing

What it is, in one
paragraph.

And more.
"""


def test_a_checkpoint_without_a_card_says_nothing(tmp_path: Path) -> None:
    assert read_card(tmp_path) == ModelCard()


def test_a_card_is_read_from_the_three_files(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "config.json").write_text(
        json.dumps({"architectures": ["GPT2LMHeadModel"], "n_layer": 12, "n_embd": 768, "n_ctx": 1024})
    )
    (tmp_path / "training.json").write_text(
        json.dumps({"tokens": 10, "config": {"learning_rate": 0.03, "bfloat16": True}, "loss_curve": [1]})
    )
    card = read_card(tmp_path)
    assert (card.licence, card.author, card.source) == ("cc-by-4.0", "Ann, Bob", "")
    assert card.description == "What it is, in one paragraph."
    assert card.facts == {
        "architecture": "GPT2LMHeadModel", "layers": 12, "width": 768, "context": 1024,
        "training": {"tokens": 10, "learning rate": 0.03},
    }  # fmt: skip


def test_a_model_of_the_hub_names_its_page_and_owner(tmp_path: Path) -> None:
    """The hub's client keeps a snapshot under a name that says where it is from, and links to it are common."""
    kept = tmp_path / "models--EleutherAI--pythia-70m" / "snapshots" / "abc"
    kept.mkdir(parents=True)
    (tmp_path / "mine").symlink_to(kept)
    for place in (kept, tmp_path / "mine"):
        card = read_card(place)
        assert (card.source, card.author) == ("https://huggingface.co/EleutherAI/pythia-70m", "EleutherAI")


@pytest.mark.parametrize(
    ("readme", "config"),
    [
        *((readme, "{") for readme in (
            "", "---", "---\n---\n", "---\n: : [\n---\n", "---\n- a\n---\n", "---\nlicense: {a: 1}\n---", "---\nlicense: 3\n---",
            "---\na: &a [*a]\n---\n", "---\nlicense: !!python/object/apply:os.getcwd []\n---\n", "\udcff", "---\n" + "[" * 1500,
        )),
        *(("---", config) for config in (
            "", "[]", '{"n_layer": "x", "vocab_size": 1e400, "architectures": 3}', "[" * 9000,
        )),
    ],
)  # fmt: skip
def test_a_damaged_card_costs_nothing(tmp_path: Path, readme: str, config: str) -> None:
    """An index is not to fail because somebody wrote a README badly."""
    (tmp_path / "README.md").write_bytes(readme.encode("utf-8", "surrogateescape"))
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "training.json").write_text(config)
    card = read_card(tmp_path)
    assert card.licence == ""
    json.dumps(card.facts, allow_nan=False)


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"---\nlicense: {'x' * 9000}\n---\n{'word ' * 9000}")
    card = read_card(tmp_path)
    assert (len(card.licence), len(card.description)) == (LONGEST, LONGEST)
