"""Which architectures are read, and are they right? Tiny random configurations of each, against brute force.

    python benchmarks/architectures.py [--only llama,opt] [--markdown FILE]

Each is encoded in float64 as passages are, and by whole gradients of single texts; what is refused says why, as
`startrail model show` and `startrail index` do. Rows of the table are made by this file only: docs/models.md.
"""

import argparse
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from _report import Check, finish
from torch.func import functional_call
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging

from app.errors import UserError
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.marks import Marks
from app.models.weights import find_weights
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.projection import gaussian

REACH = 1e-5
NOT_MADE = "cannot be made: "
VOCABULARY = 64
METHOD = EncodingConfig(groups=1, projection_dim=4, second_moments="none", hessian="none", unit_norm=False)
COMMON = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
}
EXPERTS = {
    "num_local_experts": 3,
    "num_experts": 3,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
}
OLDER = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
USUAL = """llama mistral qwen2 qwen3 gemma gemma2 gemma3_text phi phi3 olmo olmo2 olmo3 stablelm starcoder2 granite cohere
    cohere2 glm glm4 smollm3 helium nemotron ministral exaone4 seed_oss apertus arcee hunyuan_v1_dense ernie4_5 gpt_neox
    gpt_neox_japanese persimmon biogpt xglm bitnet"""
ROUTED = "mixtral qwen2_moe qwen3_moe olmoe gpt_oss granitemoe phimoe"
# Not in float64: their experts are run by a kernel of torch's that does not take it; XGLM is masked by too large a number.
SINGLE = {"xglm", "jamba", "deepseek_v3", *ROUTED.split()}
KINDS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(USUAL.split(), SIZES),
    **{name: {**SIZES, **EXPERTS} for name in ROUTED.split()},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "gpt2": OLDER,
    "gptj": {**OLDER, "rotary_dim": 4},
    "gpt_bigcode": OLDER,
    "codegen": {**OLDER, "rotary_dim": 4},
    "gpt_neo": {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64},
    "opt": {**SIZES, "ffn_dim": 40, "word_embed_proj_dim": 32},
    "deepseek_v3": {
        **SIZES, **EXPERTS, "head_dim": 4, "num_key_value_heads": 4, "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
        "first_k_dense_replace": 0, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4,
        "v_head_dim": 8,
    },
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "mamba2": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "num_heads": 8, "head_dim": 8, "n_groups": 1},
    "falcon_mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "recurrent_gemma": {**SIZES, "lru_width": 32, "num_hidden_layers": 3, "attention_window_size": 16},
    "jamba": {
        **SIZES, "num_experts": 2, "num_experts_per_tok": 1, "mamba_d_state": 4, "mamba_dt_rank": 4,
        "use_mamba_kernels": False, "attn_layer_period": 2, "attn_layer_offset": 1,
    },
    "lfm2": {**SIZES, "layer_types": ["conv", "full_attention"], "block_multiple_of": 8},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "context_length": 64},
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What came of one architecture: the largest relative error, or why it is refused.

    Args:
        without: what had to be left out by `--weights`, as its error says.
    """

    name: str
    error: float | None
    weights: int
    reason: str = ""
    without: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return self.error is not None and self.error <= REACH


def main() -> None:
    asked = arguments()
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    names = asked.only.split(",") if asked.only else list(KINDS)
    rows = [outcome(name) for name in names]
    lines = table(rows)
    print("\n".join(lines))
    if asked.markdown:
        asked.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    wrong = [row for row in rows if row.error is not None and not row.right]
    unclear = [row for row in rows if row.reason.startswith(NOT_MADE)]
    finish(
        "architectures",
        [
            Check(
                "right to 1e-5, all weights",
                sum(row.right and not row.without for row in rows),
                "kinds",
                None if asked.only else 29,
            ),
            Check("wrong without a word", len(wrong), "kinds", 0, at_most=True),
            Check("neither right nor refused by name", len(unclear), "kinds", 0, at_most=True),
        ],
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--markdown", type=Path, help="also write the table here")
    return parser.parse_args()


def outcome(name: str) -> Row:
    """Build the architecture and compare; where it is refused, also with what its error says to leave out."""
    try:
        return tried(name, {})
    except Exception as error:  # of transformers, which does not take the tiny configuration
        first = (str(error).splitlines() or [""])[0][:120]
        return Row(name, None, 0, f"{NOT_MADE}{type(error).__name__}: {first}")


def tried(name: str, left_out: dict[str, str]) -> Row:
    """The comparison without some weights; where it is refused, without those too that the refusal offers to leave out."""
    try:
        row = compared(name, left_out)
    except UserError as error:
        said = f"{error.message} {error.remedy or ''}".strip()
        offered = re.search(r"--weights '(\w+)=skip'", said)
        if offered and offered[1] not in left_out:
            return tried(name, {**left_out, offered[1]: "skip"})
        return Row(name, None, 0, said)
    return replace(
        row, name=" without ".join(filter(None, [name, ", ".join(left_out)])), without=tuple(left_out)
    )


def compared(name: str, override: dict[str, str]) -> Row:
    """The largest error over the texts.

    Raises:
        UserError: the architecture, or a weight of it, is refused.
    """
    loaded = tiny_model(name, override)
    made = Encoder(loaded, None, METHOD, None).gradients(examples()).double()
    wanted = torch.stack([by_brute_force(loaded, example) for example in examples()])
    error = float(((made - wanted).norm(dim=1) / wanted.norm(dim=1)).max())
    return Row(name, error, len(loaded.weights))


def tiny_model(name: str, override: dict[str, str]) -> LoadedModel:
    """A random model of the architecture, in float64 where it can be."""
    dtype = torch.float32 if name in SINGLE else torch.float64
    torch.manual_seed(0)
    config = CONFIG_MAPPING[name](**COMMON, **KINDS[name])
    model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    model = model.to(dtype).requires_grad_(False).eval()
    return LoadedModel(
        model, None, find_weights(model, override), "", 64, Path(name), torch.device("cpu"), dtype, Marks()
    )


def examples() -> list[TrainingExample]:
    """Four texts of different lengths."""
    made = torch.Generator().manual_seed(1)
    lengths = (9, 5, 13, 7)
    texts = [tuple(torch.randint(3, VOCABULARY, (length,), generator=made).tolist()) for length in lengths]
    return [TrainingExample(ids, tuple(range(1, len(ids)))) for ids in texts]


def by_brute_force(loaded: LoadedModel, example: TrainingExample) -> torch.Tensor:
    """The projected gradient of one text from the whole gradient of every weight."""
    ids = torch.tensor([example.ids])
    named = dict(loaded.model.named_parameters())
    own = {weight.name: named[weight.name].detach().requires_grad_() for weight in loaded.weights}
    with torch.enable_grad():
        inputs = {"input_ids": ids, "use_cache": False}
        logits = functional_call(loaded.model, own, kwargs=inputs).logits[0, :-1]
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        gradients = dict(zip(own, torch.autograd.grad(loss, list(own.values())), strict=True))
    p = METHOD.projection_dim
    out = torch.zeros(METHOD.groups, 2, p, p, dtype=torch.float64)
    for weight in loaded.weights:
        g = weight.oriented(gradients[weight.name]).double()
        left = gaussian(METHOD.seed, weight.name, "out", p, g.shape[0])
        right = gaussian(METHOD.seed, weight.name, "in", p, g.shape[1])
        out[0, int(weight.kind == "mlp")] += left @ g @ right.T
    return out.flatten()


def table(rows: list[Row]) -> list[str]:
    """The table of docs/models.md."""
    lines = ["| architecture | weights | relative error | |", "| --- | ---: | ---: | --- |"]
    for row in sorted(rows, key=lambda row: (not row.right, row.name)):
        error = "–" if row.error is None else f"{row.error:.0e}"
        said = (
            "right, the rest refused by name"
            if row.right and row.without
            else "right"
            if row.right
            else f"refused: {row.reason}"
            if row.error is None
            else "WRONG"
        )
        lines.append(f"| {row.name} | {row.weights or '–'} | {error} | {said} |")
    return lines


if __name__ == "__main__":
    main()
