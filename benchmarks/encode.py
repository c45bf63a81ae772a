"""How fast passages are encoded, beside plain training steps of the same model on the same passages.

    python benchmarks/encode.py [--model DIR] [--rounds 5] [--threads N] [--quick]

One process, interleaved round by round; a check is the median over rounds of the ratio within a round.
Without --model the model has the demo world's shape (4.3M parameters) and random weights: speed does not
depend on them. bergson is measured beside ours where it can be imported; it is no dependency.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from _peer import bergson_encoder
from _report import Check, finish
from transformers import LlamaConfig, LlamaForCausalLM

from app.models.batching import length_batches, pad, predicting
from app.models.examples import TrainingExample
from app.models.load import LoadedModel, load_model
from app.models.marks import Marks
from app.models.weights import find_weights
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.hessian import HessianReport, Whitening
from app.trackstar.moments import Exact, Factored, Moments

BATCH = 32  # passages of a plain training step, in corpus order
METHOD = EncodingConfig(groups=2, projection_dim=32)
Run = Callable[[Sequence[TrainingExample]], object]


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    loaded = {dtype: model(options.model, dtype) for dtype in (torch.float32, torch.bfloat16)}
    full = loaded[torch.float32]
    trained = training_copy(full)
    encoders = {
        "ours, float32, factored V": encoder(full, "factored"),
        "ours, float32, exact V": encoder(full, "exact"),
        "ours, bfloat16, factored V": encoder(loaded[torch.bfloat16], "factored"),
    }
    passages = 64 if options.quick else 192
    vocabulary = vocabulary_of(full)
    corpora = {"equal length": equal(passages, vocabulary), "mixed length": mixed(passages, vocabulary)}
    runs: dict[str, Run] = {
        "forward + backward": lambda examples: training(trained, examples),
        "forward + activation gradients": lambda examples: activations(full, examples),
        **{name: one.gradients for name, one in encoders.items()},
    }
    ours = encoders["ours, float32, factored V"]
    assert ours.moments is not None
    peer = bergson_encoder(trained, ours.moments, METHOD.projection_dim, ours.batch_tokens)
    if peer:
        runs[peer[0]] = peer[1]
    times = measure(runs, corpora, options.rounds)
    table(times, corpora)
    finish(
        "encode",
        [*speed_checks(times), *trace_checks(full, trained, encoders, options), *memory_checks(options)],
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", type=Path, help="checkpoint directory; default: the demo's shape, random weights"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="1 on a machine that is busy"
    )
    parser.add_argument("--quick", action="store_true", help="fewer passages, no memory check")
    return parser.parse_args()


def model(path: Path | None, dtype: torch.dtype) -> LoadedModel:
    """The checkpoint, or the demo's shape."""
    if path:
        return load_model(path, dtype=dtype)
    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    made = LlamaForCausalLM(config).to(dtype).eval().requires_grad_(False)
    return LoadedModel(
        made, None, find_weights(made), "", 256, Path("random"), torch.device("cpu"), dtype, Marks()
    )


def vocabulary_of(loaded: LoadedModel) -> int:
    """Tokens the model knows."""
    model: Any = loaded.model
    return int(model.get_input_embeddings().weight.shape[0])


def training_copy(loaded: LoadedModel) -> torch.nn.Module:
    """The same model with trainable weights."""
    made = type(loaded.model)(loaded.model.config)
    made.load_state_dict(loaded.model.state_dict())
    return made.train()


def encoder(loaded: LoadedModel, moments: str) -> Encoder:
    """An encoder with moments of the right shape, the same for every encoder, whose encodings are compared."""
    values: dict[str, Factored | Exact] = {}
    chance = torch.Generator().manual_seed(0)
    for weight in loaded.weights:
        sizes = (weight.out_features, weight.in_features)
        row, col = (torch.rand(size, generator=chance) + 0.1 for size in sizes)
        values[weight.name] = Factored(row, col) if moments == "factored" else Exact(torch.outer(row, col))
    method = EncodingConfig.from_dict({**METHOD.as_dict(), "second_moments": moments, "hessian": "none"})
    return Encoder(loaded, Moments(values, "random"), method, None)


def equal(count: int, vocabulary: int) -> list[TrainingExample]:
    """Passages of 64 tokens."""
    return [example(64, vocabulary) for _ in range(count)]


def mixed(count: int, vocabulary: int) -> list[TrainingExample]:
    """Passages of 12 to 256 tokens, most of them short: what web text cut into passages looks like."""
    chance = random.Random(0)
    return [
        example(min(256, max(12, round(chance.lognormvariate(4.0, 0.7)))), vocabulary) for _ in range(count)
    ]


def example(length: int, vocabulary: int) -> TrainingExample:
    ids = tuple(torch.randint(3, vocabulary, (length,)).tolist())
    return TrainingExample(ids, tuple(range(1, length)))


def training(model: torch.nn.Module, examples: Sequence[TrainingExample]) -> None:
    """Forward and backward of every weight, 32 passages at a time in corpus order, as a training loop does."""
    for at in range(0, len(examples), BATCH):
        batch = examples[at : at + BATCH]
        ids = pad(batch, torch.device("cpu"))
        real = torch.tensor([[1] * len(e.ids) + [0] * (ids.shape[1] - len(e.ids)) for e in batch])
        padded = not bool(real.all())
        labels = ids.masked_fill(real == 0, -100)
        model(
            input_ids=ids, attention_mask=real if padded else None, labels=labels, use_cache=False
        ).loss.backward()
        model.zero_grad(set_to_none=True)


def activations(loaded: LoadedModel, examples: Sequence[TrainingExample]) -> None:
    """The ceiling: what any method must do that wants δ for every weight, by autograd, and nothing else."""
    for rows in length_batches([len(e.ids) for e in examples], 2048):
        batch = [examples[row] for row in rows]
        outputs: list[torch.Tensor] = []

        def keep(
            module: object, inputs: object, output: torch.Tensor, kept: list[torch.Tensor] = outputs
        ) -> None:
            kept.append(output if output.requires_grad else output.requires_grad_())

        handles = [weight.module.register_forward_hook(keep) for weight in loaded.weights]
        at, labels, _ = predicting(batch, loaded.device)
        logits = loaded.model(input_ids=pad(batch, loaded.device), use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1)[at], labels, reduction="sum")
        torch.autograd.grad(loss, outputs)
        for handle in handles:
            handle.remove()


def measure(
    runs: dict[str, Run], corpora: dict[str, list[TrainingExample]], rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Seconds of every run over every corpus, round by round; the first round warms up and does not count."""
    times: dict[str, dict[str, list[float]]] = {corpus: {name: [] for name in runs} for corpus in corpora}
    for turn in range(rounds + 1):
        for corpus, examples in corpora.items():
            for name, run in runs.items():
                started = time.perf_counter()
                run(examples)
                if turn:
                    times[corpus][name].append(time.perf_counter() - started)
        print(f"\rround {turn}/{rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times


def table(times: dict[str, dict[str, list[float]]], corpora: dict[str, list[TrainingExample]]) -> None:
    for corpus, by_run in times.items():
        count, tokens = len(corpora[corpus]), sum(len(e.ids) for e in corpora[corpus])
        print(
            f"\n{corpus}: {count} passages, {tokens:,} tokens\n{'':34}{'passages/s':>12}{'tokens/s':>12}{'ratio':>8}"
        )
        for name, seconds in by_run.items():
            middle = statistics.median(seconds)
            print(f"  {name:<32}{count / middle:>12,.0f}{tokens / middle:>12,.0f}{ratio(by_run, name):>8.2f}")


def ratio(by_run: dict[str, list[float]], name: str, base: str = "forward + backward") -> float:
    """How many times as fast as the base, the median of the rounds."""
    return statistics.median(one / other for one, other in zip(by_run[base], by_run[name], strict=True))


def speed_checks(times: dict[str, dict[str, list[float]]]) -> list[Check]:
    even, uneven = times["equal length"], times["mixed length"]
    ours, half = "ours, float32, factored V", "ours, bfloat16, factored V"
    checks = [
        Check("equal length, float32, factored V / forward+backward", ratio(even, ours), "×", 1.2),
        Check(
            "equal length, float32, exact V / forward+backward",
            ratio(even, "ours, float32, exact V"),
            "×",
            0.8,
        ),
        Check("mixed length, float32, factored V / forward+backward", ratio(uneven, ours), "×", 1.6),
        Check("bfloat16 / float32, factored V, equal length", ratio(even, half, ours), "×", 1.3),
        Check("bfloat16 / float32, factored V, mixed length", ratio(uneven, half, ours), "×", 1.3),
        Check(
            "ceiling: activation gradients / forward+backward",
            ratio(even, "forward + activation gradients"),
            "×",
        ),
    ]
    for peer in (name for name in even if name.startswith("bergson")):
        checks.append(Check(f"{peer} / forward+backward, equal length", ratio(even, peer), "×"))
        checks.append(Check(f"ours / {peer}, equal length", ratio(even, ours, peer), "×", 1.0))
        checks.append(Check(f"ours / {peer}, mixed length", ratio(uneven, ours, peer), "×", 1.0))
    return checks


def trace_checks(
    loaded: LoadedModel, trained: torch.nn.Module, encoders: dict[str, Encoder], options: argparse.Namespace
) -> list[Check]:
    """One query, warm, with whitening, beside its own bare forward and backward; and bfloat16's faithfulness."""
    plain, half = encoders["ours, float32, factored V"], encoders["ours, bfloat16, factored V"]
    size = METHOD.block_size
    report = HessianReport(0.0, None, size, 0, 1e-3, 0.0, 1, 0)
    whitening = Whitening(torch.eye(size).repeat(METHOD.blocks, 1, 1), report)
    method = EncodingConfig.from_dict({**plain.method.as_dict(), "hessian": "train"})
    warm = Encoder(loaded, plain.moments, method, whitening)
    query = example(12, vocabulary_of(loaded))
    ratios = []
    for _ in range(100):
        started = time.perf_counter()
        training(trained, [query])
        middle = time.perf_counter()
        warm.finish(warm.gradients([query]))
        ratios.append((time.perf_counter() - middle) / (middle - started))
    texts = mixed(64, vocabulary_of(loaded))
    same = torch.from_numpy(
        (plain.finish(plain.gradients(texts)) * half.finish(half.gradients(texts))).sum(1)
    )
    return [
        Check(
            "one query of 12 tokens / its forward+backward", statistics.median(ratios), "×", 1.6, at_most=True
        ),
        Check("bfloat16 encodings' cosine to float32, the least of 64", float(same.min()), "", 0.999),
    ]


def memory_checks(options: argparse.Namespace) -> list[Check]:
    """Peak memory of a whole index build, each in a process of its own, with a small model."""
    if options.quick:
        return []
    peaks = {}
    for count in (1_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            made = subprocess.run(
                [sys.executable, Path(__file__).with_name("_memory.py"), str(count), folder],
                capture_output=True,
                text=True,
                check=True,
            )
        peaks[count] = json.loads(made.stdout.splitlines()[-1])
        print(
            f"  index of {count:>7,} passages: peak {peaks[count]['peak']:,.0f} MiB, {peaks[count]['seconds']:,.0f} s"
        )
    grown = peaks[100_000]["peak"] / peaks[1_000]["peak"]
    return [Check("peak memory, 100k passages / 1k passages", grown, "×", 1.5, at_most=True)]


if __name__ == "__main__":
    main()
