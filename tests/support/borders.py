"""Tiny models with the tokenizers that borders differ by, made by the tests themselves.

The weights are random: such a model says anything, halves of characters and words in odd pieces too, which is what a
border has to bear.
"""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from app.models.load import LoadedModel, load_model

CONTEXT = 600
TEXTS = [
    "The capital of Ghana is Accra, said Emeka. The currency of Ghana is the cedi.",
    "日本の首都は東京です。京都は古い都市です。",
    "北京是中国的首都。上海是一个大城市。",
    'def answer(x):\n    return {"value": x + 1}  # 42',
    "She said: “The river rose in 1987, by 3.5 metres.” (So they say.)",
    "Café, naïve, Ørsted, Łódź, straße, “quoted”, 'single' and (bracketed).",
]
KINDS = ("bytes", "sentencepiece", "sentencepiece before 2023")


def _bytes() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"]
    made.train_from_iterator(
        TEXTS * 4,
        trainers.BpeTrainer(
            vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    return made


def _sentencepiece(*, prepend: bool) -> Tokenizer:
    """As Llama's and Gemma's are: `▁` for a space, one put before every text, bytes for unknown characters."""
    every = [f"<0x{n:02X}>" for n in range(256)]
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    learned.train_from_iterator(
        TEXTS * 4,
        trainers.BpeTrainer(
            vocab_size=300, special_tokens=["<unk>", "<s>", "</s>", *every], show_progress=False
        ),
    )
    state = json.loads(learned.to_str())["model"]
    merges = [tuple(merge) for merge in state["merges"]]
    made = Tokenizer(models.BPE(state["vocab"], merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.add_special_tokens(["<unk>", "<s>", "</s>"])
    if prepend:
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return made


@cache
def model(kind: str) -> LoadedModel:
    """The model of a kind, loaded from a directory as any other."""
    made = {
        "bytes": _bytes,
        "sentencepiece": lambda: _sentencepiece(prepend=False),
        "sentencepiece before 2023": lambda: _sentencepiece(prepend=True),
    }[kind]()
    path = Path(tempfile.mkdtemp(prefix="startrail-borders-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", model_max_length=CONTEXT
    )
    tokenizer.save_pretrained(path)
    torch.manual_seed(3)
    configuration = LlamaConfig(
        vocab_size=made.get_vocab_size(),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    network = LlamaForCausalLM(configuration)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    network.save_pretrained(path)
    return load_model(path)
