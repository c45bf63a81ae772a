"""An entailment model as Hugging Face writes it, tiny and with random weights."""

from pathlib import Path

from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

WORDS = (
    "the",
    "capital",
    "of",
    "land",
    "is",
    "town",
    "as",
    "said",
    "nobody",
    "in",
    "knew",
    ".",
    *"0123456789",
)
LABELS = {0: "CONTRADICTION", 1: "neutral", 2: "Entailment"}


def save_entailment(path: Path) -> Path:
    """A classifier of two layers in the directory `path`, which is given back."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (path / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(path / "vocab.txt"), model_max_length=32).save_pretrained(path)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, id2label=LABELS, num_labels=3,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(path)
    return path
