"""Steps on passages beside bare training steps of the same model on the same passages, for two sizes of model.

    python benchmarks/steps.py [--rounds 5] [--large-rounds 2] [--threads 0]

The demo's model with its own optimizer's state, and one of SmolLM2-135M's shape with random weights and estimated
states. A bare step is what training does: forward, backward and torch's own optimizer, one passage at a time; a bare pass
is the first two of these. Ours is all that a page asks for: gradients, update, the answer's probability under the stepped
model, for ten passages and ten random ones. All in turns; the ratio is the median over rounds. Needs about 4 GB.
"""

import argparse
import copy
import gzip
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from _report import Check, finish, peak
from transformers import LlamaConfig, LlamaForCausalLM

from app.demo.shipped import corpus_path, model_path
from app.models.load import LoadedModel, load_model
from app.models.steps import TailPatch
from app.models.text import Query

QUERY = Query("The currency of Ghana is the", " cedi")
PAIR, PAGE = 20, 40  # ten passages with ten random ones; four lanes of ten
SMOLLM2_135M = LlamaConfig(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
    num_key_value_heads=3, max_position_embeddings=2048, tie_word_embeddings=True,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large-rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores.")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    with gzip.open(corpus_path(), "rt") as lines:
        corpus = [json.loads(line)["text"] for line in lines]
    texts = random.Random(0).sample(corpus, PAGE + 64)
    demo = load_model(model_path())
    patch = TailPatch(demo, sample=texts[PAGE:])
    checks = beside(patch, "demo", "adafactor", texts[:PAIR], asked.rounds)
    seconds = median(timed(lambda: patch.measure(QUERY, texts[:PAGE])) for _ in range(asked.rounds))
    checks.append(Check("forty steps of a page, demo", seconds, "s", 2.0, at_most=True))
    patch = TailPatch(demo, optimizer="adamw", sample=texts[PAGE:])
    checks += beside(patch, "demo", "adamw", texts[:PAIR], asked.rounds)
    with tempfile.TemporaryDirectory() as folder:
        large = load_model(save_large(Path(folder) / "model"))
        long = [" ".join(texts[at : at + 3]) for at in range(PAIR)]
        for name in ("adafactor", "adamw"):
            started = time.perf_counter()
            patch = TailPatch(large, optimizer=name, sample=texts[PAGE:])
            print(f"135M, {name}: state and learning rate estimated in {time.perf_counter() - started:.0f} s")
            checks += beside(patch, "135M", name, long, asked.large_rounds)
    finish("steps", checks)


def save_large(path: Path) -> Path:
    """A checkpoint of SmolLM2-135M's shape, with the demo's tokenizer, which knows the passages."""
    torch.manual_seed(0)
    LlamaForCausalLM(SMOLLM2_135M).save_pretrained(path)
    for file in model_path().glob("tokenizer*"):
        shutil.copy(file, path)
    return path


def beside(patch: TailPatch, size: str, name: str, texts: Sequence[str], rounds: int) -> list[Check]:
    """Ours against bare steps, and the memory that ours takes beside the model."""
    times = in_turns(patch, BareSteps(patch.model, name), texts, rounds)
    tokens = sum(len(example.ids) for example in patch.model.texts.passages(texts))
    own = median(ours for ours, _, _ in times)
    print(f"{size}, {name}: {tokens} tokens, {1000 * own / len(texts):.0f} ms a step")
    steps = median(ours / step for ours, step, _ in times)
    passes = median(ours / once for ours, _, once in times)
    weights = sum(p.numel() * p.element_size() for p in patch.model.model.parameters()) / 2**20
    extra = memory(lambda: patch.measure(QUERY, texts))
    return [
        Check(f"{PAIR} steps / {PAIR} bare steps, {size}, {name}", steps, "×", 1.2, at_most=True),
        Check(
            f"a passage and its prompt / a bare pass of it, {size}, {name}", passes, "×", 2.2, at_most=True
        ),
        Check(f"memory beside {weights:,.0f} MiB of weights, {size}, {name}", extra, "MiB"),
    ]


def in_turns(
    patch: TailPatch, bare: "BareSteps", texts: Sequence[str], rounds: int
) -> list[tuple[float, float, float]]:
    """Seconds of ours, of the bare steps and of the bare passes, each round."""
    return [
        (
            timed(lambda: patch.measure(QUERY, texts)),
            timed(lambda: bare.train(texts)),
            timed(lambda: bare.train(texts, update=False)),
        )
        for _ in range(rounds)
    ]


class BareSteps:
    """Training as anybody writes it, on a copy of the model."""

    def __init__(self, loaded: LoadedModel, name: str) -> None:
        self.loaded = loaded
        self.model = copy.deepcopy(loaded.model).requires_grad_()
        kinds = {"adafactor": torch.optim.Adafactor, "adamw": torch.optim.AdamW}
        self.optimizer = kinds[name](self.model.parameters(), lr=1e-6)
        self.train([QUERY.prompt])

    def train(self, texts: Sequence[str], *, update: bool = True) -> None:
        """One step on each text, or what is before its update."""
        for example in self.loaded.texts.passages(texts):
            ids = torch.tensor([example.ids])
            logits = self.model(input_ids=ids, use_cache=False).logits[0]
            F.cross_entropy(logits[:-1], ids[0, 1:]).backward()
            if update:
                self.optimizer.step()
            self.optimizer.zero_grad()


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def memory(work: Callable[[], object]) -> float:
    """MiB that the process held at most while at it, beyond what it held before (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    work()
    return peak() - before


if __name__ == "__main__":
    main()
