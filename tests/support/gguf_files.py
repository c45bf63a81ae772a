"""A GGUF file of a tiny Llama, quantised to eight bits, as llama.cpp's converter writes one."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize
from transformers import LlamaConfig, LlamaForCausalLM

from tests.support import tiny

HEADS = 4
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
EIGHT = gguf.GGMLQuantizationType.Q8_0


def write_gguf(file: Path) -> LlamaForCausalLM:
    """Writes the file; returns the model with the weights that it holds, rounded to eight bits."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=tiny.CONTEXT,
        vocab_size=len(tiny.tokenizer()),
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
    )
    model = LlamaForCausalLM(config).eval()
    writer = gguf.GGUFWriter(file, "llama")
    _describe(writer, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.2)
            if parameter.dim() == 1:
                writer.add_tensor(_named(name), parameter.numpy())
                continue
            rotates = ".q_proj" in name or ".k_proj" in name
            packed = quantize(_turned(parameter.numpy()) if rotates else parameter.numpy(), EIGHT)
            writer.add_tensor(_named(name), packed, raw_dtype=EIGHT)
            rounded = dequantize(packed, EIGHT)
            parameter.copy_(torch.from_numpy(_turned_back(rounded) if rotates else rounded))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _describe(writer: Any, config: LlamaConfig) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(config.hidden_size // HEADS)
    writer.add_vocab_size(config.vocab_size)
    written = json.loads(tiny.tokenizer().backend_tokenizer.to_str())["model"]
    vocabulary = sorted(written["vocab"], key=written["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types(
        [3 if token.startswith("<") and token.endswith(">") and len(token) > 2 else 1 for token in vocabulary]
    )
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in written["merges"]]
    )
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)


def _named(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, inner = name.split(".", 3)
    return f"blk.{layer}.{NAMES[inner.removesuffix('.weight')]}.weight"


def _turned(weight: np.ndarray) -> np.ndarray:
    """Rows in llama.cpp's order: the halves that rotate together stand side by side."""
    parts = weight.reshape(HEADS, 2, weight.shape[0] // HEADS // 2, weight.shape[1])
    return np.ascontiguousarray(parts.swapaxes(1, 2).reshape(weight.shape))


def _turned_back(weight: np.ndarray) -> np.ndarray:
    parts = weight.reshape(HEADS, weight.shape[0] // HEADS // 2, 2, weight.shape[1])
    return np.ascontiguousarray(parts.swapaxes(1, 2).reshape(weight.shape))
