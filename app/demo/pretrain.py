"""Pretrains a small Llama from scratch on any list of texts: the demo world's, or real sentences.

    texts -> byte-level BPE -> batches of like length -> LlamaForCausalLM with Adafactor -> model directory

The directory is a Hugging Face checkpoint with `optimizer.safetensors` (Adafactor's factored second
moments, TrackStar's V) and `training.json` (what was done). It appears under its name only when complete.
The same texts, configuration and number of threads give the same weights.
"""

import hashlib
import json
import math
import platform
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch.optim import Adafactor
from transformers import LlamaConfig, LlamaForCausalLM

from app.demo.batches import length_batches
from app.demo.checkpoint import save_checkpoint
from app.demo.tokenizer import BOS, EOS, PAD, save_tokenizer, token_id, train_tokenizer
from app.demo.training_state import TrainingState, gone_on, keep
from app.errors import UserError
from app.files import whole

Progress = Callable[[int, int, int, float, float], None]
"""Called after each step with: step, total steps, tokens seen, loss of this batch, learning rate."""

WARMUP = 0.02
"""Share of the steps in which the learning rate rises."""
# eps1 is squared inside torch's Adafactor: 1e-16 keeps the square above float32's smallest normal number
# and, unlike torch's default (1.2e-7), never stands in for the mean of the row factors.
EPS = (1e-16, 1e-3)


@dataclass(frozen=True)
class PretrainConfig:
    """Model and training settings; the defaults are the demo world's (4.3 million parameters).

    Args:
        vocab_size: at most so many tokens, 259 of them bytes and special tokens.
        hidden_size, layers, heads, kv_heads, intermediate_size: the Llama's dimensions.
        batch_size: passages per step.
        learning_rate: the peak, relative to each weight's size as Adafactor has it.
        final_learning_rate_fraction: where the cosine ends, as a share of the peak. Above zero, because
            tail-patch takes one more step at that rate.
        max_length: tokens of a passage, BOS and EOS included; the rest is cut off.
        bfloat16: compute matrix products in bfloat16 (weights and optimizer stay in float32).
        label_smoothing: share of each token's weight spread over the vocabulary. A corpus this small is read
            several times; without smoothing the model becomes certain of it, the gradients of its passages vanish,
            and no gradient method can tell any more what taught it a fact.
    """

    vocab_size: int = 4096
    hidden_size: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 4
    intermediate_size: int = 704
    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 3e-2
    final_learning_rate_fraction: float = 0.1
    max_length: int = 256
    seed: int = 0
    bfloat16: bool = True
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        """Refuses dimensions that make no Llama."""
        for name, value in asdict(self).items():
            if name not in ("seed", "bfloat16", "label_smoothing") and not value > 0:
                raise UserError(f"{value} is not above zero.", field=name, remedy="Give a positive number.")
        if self.hidden_size % (2 * self.heads) or self.heads % self.kv_heads:
            raise UserError(
                f"{self.hidden_size} hidden units do not split into {self.heads} heads of even size"
                f" over {self.kv_heads} key-value heads.",
                field="heads",
                remedy="Choose heads that divide half the hidden size, and kv_heads that divide heads.",
            )
        if self.vocab_size < 260:
            raise UserError(
                f"A vocabulary of {self.vocab_size} has no room for the 256 bytes.",
                field="vocab_size",
                remedy="Use 260 or more; 4096 suits a small corpus.",
            )


@dataclass(frozen=True)
class PretrainReport:
    """What came of a pretraining run; also in `training.json`."""

    out: Path
    parameters: int
    passages: int
    steps: int
    tokens: int
    first_loss: float
    final_loss: float
    seconds: float


def pretrain(
    texts: Sequence[str],
    out: Path,
    config: PretrainConfig | None = None,
    *,
    progress: Progress | None = None,
    checkpoints: int = 0,
    half: bool = False,
    left_out: Collection[int] = (),
    state: Path | None = None,
) -> PretrainReport:
    """Trains a tokenizer and a model on the texts and writes the model directory `out`.

    Args:
        texts: the passages; each becomes BOS + tokens + EOS.
        left_out: rows of `texts` that the model does not see. Their places in their batches stay empty: the
            tokenizer, the first weights, the order and learning rate of all others are as with everything.
        checkpoints: also write so many intermediate states, evenly spaced, to `out/checkpoints/step-N`.
        half: store the weights in float16 (the optimizer's state stays in float32).
        state: file that keeps how far it is after each reading of the corpus; where it is there, the training goes on
            from it, to the same weights. Of these texts, settings and `left_out` alone.

    Raises:
        UserError: there are no texts, `out` exists already, or training diverges.
    """
    config = config or PretrainConfig()
    texts = [text for text in texts if text.strip()]
    if not texts or len(set(left_out)) >= len(texts):
        raise UserError("There is no passage to train on.", remedy="Give a corpus with some text in it.")
    if out.exists():
        raise UserError(f"{out} exists already.", remedy="Remove it, or choose another directory.")
    started = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole(out) as partial:
        partial.mkdir()
        tokenizer = train_tokenizer(texts, config.vocab_size)
        save_tokenizer(tokenizer, partial, config.max_length)
        model, optimizer, counted = _train(
            texts, tokenizer, config, partial, progress, checkpoints, half, frozenset(left_out), state
        )
        save_checkpoint(model, optimizer, _final_rate(config), partial, half=half)
        report = PretrainReport(
            out=out,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            passages=len(texts),
            steps=counted.curve[-1][0],
            tokens=counted.tokens,
            first_loss=counted.curve[0][1],
            final_loss=counted.curve[-1][1],
            seconds=round(time.monotonic() - started, 1),
        )
        _write_training(partial / "training.json", report, config, texts, counted.curve)
    return report


def _train(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    config: PretrainConfig,
    out: Path,
    progress: Progress | None,
    checkpoints: int,
    half: bool,
    left_out: frozenset[int],
    state: Path | None,
) -> tuple[LlamaForCausalLM, Adafactor, TrainingState]:
    bos, eos = token_id(tokenizer, BOS), token_id(tokenizer, EOS)
    kept = config.max_length - 2
    sequences = [[bos, *encoding.ids[:kept], eos] for encoding in tokenizer.encode_batch(list(texts))]
    torch.manual_seed(config.seed)
    shuffler = torch.Generator().manual_seed(config.seed)
    model = _new_model(config, tokenizer)
    optimizer = Adafactor(model.parameters(), lr=config.learning_rate, eps=EPS)
    total = config.epochs * math.ceil(len(sequences) / config.batch_size)
    keep_at = {round(total * part / (checkpoints + 1)) for part in range(1, checkpoints + 1)}
    counted = gone_on(state, model, optimizer, shuffler)
    # Denormal numbers cost a hundred times as much on a CPU, and mean nothing here.
    torch.set_flush_denormal(True)
    try:
        for _ in range(counted.epochs, config.epochs):
            for batch in length_batches([len(ids) for ids in sequences], config.batch_size, shuffler):
                rate = _rate(counted.step, total, config)
                batch = [row for row in batch if row not in left_out]
                if not batch:
                    counted.step += 1
                    continue
                for group in optimizer.param_groups:
                    group["lr"] = rate
                loss = _batch_loss(model, [sequences[row] for row in batch], config)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                check_loss(loss.item(), counted.step + 1)
                counted.count(loss.item(), sum(len(sequences[row]) for row in batch), total)
                if progress:
                    progress(counted.step, total, counted.tokens, loss.item(), rate)
                if counted.step in keep_at:
                    place = out / "checkpoints" / f"step-{counted.step}"
                    place.mkdir(parents=True)
                    save_tokenizer(tokenizer, place, config.max_length)
                    save_checkpoint(model, optimizer, rate, place, half=half)
            counted.epochs += 1
            keep(state, counted, model, optimizer, shuffler)
    finally:
        torch.set_flush_denormal(False)
    return model, optimizer, counted


def _new_model(config: PretrainConfig, tokenizer: Tokenizer) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            max_position_embeddings=config.max_length,
            tie_word_embeddings=True,
            bos_token_id=token_id(tokenizer, BOS),
            eos_token_id=token_id(tokenizer, EOS),
            pad_token_id=token_id(tokenizer, PAD),
        )
    )


def _batch_loss(model: LlamaForCausalLM, rows: list[list[int]], config: PretrainConfig) -> torch.Tensor:
    """Mean cross-entropy of every next token of the batch.

    Padding is on the right, where causal attention never looks, so no attention mask is needed.
    """
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    real = torch.arange(longest)[None, :] < torch.tensor([len(row) for row in rows])[:, None]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.bfloat16):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state  # (batch, length, hidden)
        predicting = real[:, 1:]
        logits = model.lm_head(hidden[:, :-1][predicting])  # (real tokens, vocabulary)
    return F.cross_entropy(logits.float(), ids[:, 1:][predicting], label_smoothing=config.label_smoothing)


def _rate(step: int, total: int, config: PretrainConfig) -> float:
    """Linear warm-up, then a cosine down to the floor."""
    warmup = max(1, round(total * WARMUP))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup - 1)
    floor = config.final_learning_rate_fraction
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def _final_rate(config: PretrainConfig) -> float:
    return config.learning_rate * config.final_learning_rate_fraction


def check_loss(loss: float, step: int) -> None:
    """Stops a run whose loss is no number any more (UserError)."""
    if not math.isfinite(loss):
        raise UserError(
            f"Training diverged: the loss of step {step} is {loss}.",
            field="learning_rate",
            remedy="Lower the learning rate.",
        )


def _write_training(
    file: Path,
    report: PretrainReport,
    config: PretrainConfig,
    texts: Sequence[str],
    curve: list[tuple[int, float]],
) -> None:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\n")
    facts = asdict(report)
    del facts["out"]
    content = {
        **facts,
        "config": asdict(config),
        "corpus_sha256": digest.hexdigest(),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")}
        | {"python": platform.python_version()},
        "loss_curve": [{"step": step, "loss": loss} for step, loss in curve],
    }
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
