"""Builds one index of COUNT synthetic passages in FOLDER and prints its peak memory; run by encode.py. A random model for others.

A process of its own, because a process's peak never comes down.
"""

import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from _report import peak
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from app.trackstar.build import build_index
from app.trackstar.config import EncodingConfig

WORDS = [f"w{n}" for n in range(500)]


@dataclass(frozen=True)
class Passages:
    """As many passages as asked for, never all in memory."""

    count: int

    def __iter__(self) -> Iterator[tuple[str, str]]:
        chance = random.Random(0)
        for number in range(self.count):
            yield f"p{number}", " ".join(chance.choices(WORDS, k=chance.randint(8, 24)))


def save_model(path: Path, *, layers: int = 2, hidden: int = 32, longest: int = 64) -> Path:
    """A random model; as it stands, one small enough for a hundred thousand passages in a minute."""
    vocabulary = {"<s>": 0, "</s>": 1, "<unk>": 2} | {word: 3 + at for at, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(
        path
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=longest,
    )
    LlamaForCausalLM(config).save_pretrained(path)
    return path


def main() -> None:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    save_model(folder / "model")
    method = EncodingConfig(projection_dim=16, second_moments="none")
    started = time.monotonic()
    build_index(folder / "model", Passages(count), folder / "index", method=method)
    print(json.dumps({"peak": peak(), "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
