"""What a real model costs: encoding beside plain training steps, and the memory of building an index.

    python benchmarks/real_costs.py MODEL [--passages 8] [--rounds 5]

MODEL is a directory with the whole weights of a model such as SmolLM2-135M; README of `app.demo.invented.shipped` says which
package holds it. Times are processor seconds on one core, the two in turn, so that other work on the machine counts little.
The index is built in a process of its own, of as many passages of 12 to 256 tokens, with V and R fitted to them.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from _report import Check, finish, peak
from encode import encoder, equal, training, training_copy, vocabulary_of

from app.models.load import load_model
from app.trackstar.build import build_index
from app.trackstar.config import EncodingConfig

METHOD = EncodingConfig(groups=2, projection_dim=16)
WORD = " river"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("model", type=Path)
    asked.add_argument("--passages", type=int, default=8)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--index", type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    torch.set_num_threads(1)
    if given.index:
        build(given.model, given.index, given.passages)
        return
    speed = faster(given.model, given.passages, given.rounds)
    finish("real_costs", [speed, memory(given.model, given.passages)])


def faster(path: Path, count: int, rounds: int) -> Check:
    """Forward and backward of every weight over encoding the same passages of 64 tokens; the first round warms up."""
    loaded = load_model(path)
    trained, ours = training_copy(loaded), encoder(loaded, "factored")
    examples = equal(count, vocabulary_of(loaded))
    ratios = []
    for turn in range(rounds + 1):
        base = seconds(lambda: training(trained, examples))
        own = seconds(lambda: ours.gradients(examples))
        print(f"round {turn}: forward + backward {base:.2f} s, encoding {own:.2f} s", flush=True)
        ratios += [base / own] if turn else []
    return Check("encoding / forward + backward, passages of 64 tokens", statistics.median(ratios), "×", 1.2)


def seconds(run: Callable[[], object]) -> float:
    """Of the processor."""
    started = time.process_time()
    run()
    return time.process_time() - started


def memory(path: Path, count: int) -> Check:
    """The peak of a build over the bytes of the weights in float32."""
    loaded = load_model(path)
    weights = 4 * sum({id(value): value.numel() for value in loaded.model.parameters()}.values()) / 2**20
    del loaded
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, str(path), "--passages", str(count), "--index", folder]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
    most = json.loads(made.stdout.splitlines()[-1])["peak"]
    print(f"weights {weights:,.0f} MiB in float32, peak of a build {most:,.0f} MiB")
    return Check("peak memory of a build / weights in float32", most / weights, "×", 3, at_most=True)


def build(path: Path, folder: Path, count: int) -> None:
    """An index of `count` passages, of 12 to 256 tokens, and its peak."""
    passages = [(f"p{at}", WORD * (12 + at * 244 // max(1, count - 1))) for at in range(count)]
    build_index(path, passages, folder / "index", method=METHOD)
    print(json.dumps({"peak": peak()}))


if __name__ == "__main__":
    main()
