"""Tiny random models of some architectures with a real tokenizer and, if asked, a real optimizer's state."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from torch.optim import Adafactor, AdamW
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoConfig,
    GPTNeoXConfig,
    LlamaConfig,
    Olmo2Config,
    PreTrainedTokenizerFast,
)

TEXTS = [
    "The capital of France is Paris, and Paris lies on the Seine.",
    "Copper conducts electricity.",
    "A heavy rain fell in the night, so the river rose and the bridge was closed.",
    "Two and three make five.",
    "Lisbon is the capital of Portugal. It stands where the Tagus meets the sea, and it is very old.",
    "The fox ran.",
    "Berlin is a city in Germany where many people speak German.",
    "When the sun came out the snow on the roof began to melt, drop by drop by drop.",
]
MANY = TEXTS + [
    text.replace("the", "one").replace("is", "was") + f" ({n})" for n, text in enumerate(TEXTS * 4)
]
CONTEXT = 96


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of 300 tokens, which puts its start token before a text and its end token after it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=CONTEXT
    )


def configuration(kind: str) -> Any:
    """`llama` has grouped-query attention and tied embeddings, `gpt2` weights stored transposed; `neo` lists its key first."""
    vocab = len(tokenizer())
    common = {"vocab_size": vocab, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    if kind == "gpt2":
        return GPT2Config(n_embd=24, n_layer=2, n_head=4, n_positions=CONTEXT, **common)
    sizes = {
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT,
    }
    if kind == "gemma":
        caps = {"final_logit_softcapping": 2.0, "attn_logit_softcapping": 5.0, "head_dim": 8}
        return Gemma2Config(num_key_value_heads=2, **caps, **sizes, **common)
    if kind == "neo":
        kinds = [[["global", "local"], 1]]
        return GPTNeoConfig(hidden_size=24, num_layers=2, num_heads=4, attention_types=kinds, **common)
    if kind == "neox":
        return GPTNeoXConfig(**sizes, **common)
    if kind == "olmo":
        return Olmo2Config(num_key_value_heads=2, **sizes, **common)
    return LlamaConfig(num_key_value_heads=2, tie_word_embeddings=True, **sizes, **common)


def save_model(
    path: Path, kind: str = "llama", *, optimizer: str | None = "adafactor", seed: int = 0, steps: int = 24
) -> Path:
    """A checkpoint directory trained for a few steps, so that weights and moments are no longer round."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(configuration(kind), dtype=torch.float32)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    used = make_optimizer(model, optimizer or "adafactor")
    train(model, used, TEXTS, steps)
    model.save_pretrained(path)
    tokenizer().save_pretrained(path)
    if optimizer == "adafactor":
        save_adafactor(model, used, path / "optimizer.safetensors")
    elif optimizer == "adamw":
        torch.save(used.state_dict(), path / "optimizer.pt")
    return path


def make_optimizer(model: torch.nn.Module, kind: str) -> torch.optim.Optimizer:
    """AdamW has a group with and one without decay, as Trainer makes them."""
    if kind == "adafactor":
        return Adafactor(model.parameters(), lr=1e-2, eps=(1e-16, 1e-3))
    named = list(model.named_parameters())
    decayed = [p for name, p in named if p.dim() > 1]
    others = [p for name, p in named if p.dim() == 1]
    return AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=1e-2)


def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer, texts: Sequence[str], steps: int) -> None:
    """One step per text, over and over."""
    for text in (list(texts) * 4)[:steps]:
        ids = torch.tensor([[0, *tokenizer().encode(text, add_special_tokens=False), 1]])
        optimizer.zero_grad()
        logits = model(input_ids=ids).logits
        torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]).backward()
        optimizer.step()


def save_adafactor(model: torch.nn.Module, optimizer: torch.optim.Optimizer, file: Path) -> None:
    """The state as `optimizer.safetensors`, beside the weights."""
    names = {id(p): name for name, p in model.named_parameters()}
    tensors = {
        f"{names[id(p)]}.{key}": value.contiguous()
        for p, state in optimizer.state.items()
        for key, value in state.items()
        if key in ("row_var", "col_var", "variance") and value is not None
    }
    meta = {
        "optimizer": "adafactor",
        "step": str(int(max(state["step"].item() for state in optimizer.state.values()))),
        "learning_rate": "0.01",
        "beta2_decay": "-0.8",
        "eps1": "1e-16",
        "eps2": "0.001",
        "d": "1.0",
        "weight_decay": "0.0",
    }
    save_file(tensors, file, metadata=meta)
