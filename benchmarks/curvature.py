"""Fitting EK-FAC's factors: killed at random it ends in the same bytes, and ten times the layers take no more memory.

    python benchmarks/curvature.py [--kills 20] [--layers 24]

Each fit is a process of its own, of a small random model and a sample of passages. Two whole fits are compared byte
by byte; a third is killed (SIGKILL) at random moments, goes on each time where it was, and is compared with them. Then
memory: the peak of a fit above the model's weights, with `--layers` and with ten times as many, in parts of the same budget. What
was fitted is read at the end, to be used, and then takes what it takes: that is no part of it.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from _memory import WORDS, save_model
from _report import Check, finish, peak

from app.curvature.fit import fit_curvature
from app.models.load import load_model

BUDGET = 64 << 20  # less than the sums of 24 layers take, so that both models are fitted in parts
PASSAGES, LENGTH = 36, 64
SHAPE = {"hidden": 128, "longest": 128}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--fit", nargs=2, type=Path, metavar=("MODEL", "OUT"), help=argparse.SUPPRESS)
    parser.add_argument("--budget", type=int, default=BUDGET, help=argparse.SUPPRESS)
    parser.add_argument("--passages", type=int, default=PASSAGES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fit:
        model, out = asked.fit
        print(json.dumps(fitted(model, out, asked.budget, asked.passages)))
        return
    with tempfile.TemporaryDirectory() as folder:
        finish("curvature", killed(Path(folder), asked.kills) + grown(Path(folder), asked.layers))


def killed(folder: Path, kills: int) -> list[Check]:
    """Two fits left alone, and one that was killed."""
    model = save_model(folder / "model", layers=8, **SHAPE)
    small = (2 << 20, 4)  # a budget of many parts; passages
    began = time.monotonic()
    run(model, folder / "one", *small)
    whole = time.monotonic() - began
    run(model, folder / "two", *small)
    chance, done = random.Random(0), 0
    while done < kills:
        fit = started(model, folder / "killed", *small)
        try:
            fit.wait(chance.uniform(0.1, 0.95) * whole)
        except subprocess.TimeoutExpired:
            fit.kill()
            fit.wait()
            done += 1
            files = len(list((folder / "killed").glob("*.safetensors")))
            print(f"killed {done} of {kills}, {files} weights fitted", end="\r", flush=True)
        else:  # it was quicker: from the beginning
            for file in (folder / "killed").iterdir():
                file.unlink()
    run(model, folder / "killed", *small)
    of = [digests(folder / name) for name in ("one", "two", "killed")]
    return [
        Check("files of a fit", len(of[0]), ""),
        Check("files that differ between two fits", differ(of[0], of[1]), "", 0, at_most=True),
        Check(f"files that differ after {kills} kills", differ(of[0], of[2]), "", 0, at_most=True),
    ]


def grown(folder: Path, layers: int) -> list[Check]:
    """What a fit holds besides the model's weights, by its number of layers."""
    above = []
    for count in (layers, 10 * layers):
        model = save_model(folder / f"of-{count}", layers=count, **SHAPE)
        report = run(model, folder / f"factors-of-{count}", BUDGET, PASSAGES)
        above.append(report["peak"] - report["weights"])
        print(f"{count} layers: {report['weights']:.0f} MiB of weights, {above[-1]:.0f} MiB above them")
    layer = report["weights"] / (10 * layers)
    return [
        Check(f"peak above the weights, {layers} layers", above[0], "MiB"),
        Check(
            f"peak above the weights, {10 * layers} layers", above[1], "MiB", above[0] + layer, at_most=True
        ),
    ]


def fitted(model: Path, out: Path, budget: int, passages: int) -> dict[str, float]:
    """Fits in this process; what it held at most and what the weights take, in MiB."""
    torch.set_num_threads(1)
    loaded = load_model(model)
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=LENGTH)) for _ in range(passages)]
    peaks = [0.0]
    fit_curvature(
        loaded,
        loaded.texts.passages(texts),
        out,
        budget=budget,
        done=lambda gone, total: peaks.append(peak()),
    )
    held = sum(value.numel() * value.element_size() for value in loaded.model.parameters())
    return {"peak": peaks[-1], "weights": held / 2**20}


def started(model: Path, out: Path, budget: int, passages: int) -> "subprocess.Popen[str]":
    words = [sys.executable, __file__, "--fit", model, out, "--budget", budget, "--passages", passages]
    return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True, env=os.environ)


def run(model: Path, out: Path, budget: int, passages: int) -> dict[str, float]:
    fit = started(model, out, budget, passages)
    said, _ = fit.communicate()
    if fit.returncode:
        raise SystemExit(f"A fit ended with {fit.returncode}.")
    report: dict[str, float] = json.loads(said)
    return report


def digests(directory: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.iterdir()}


def differ(one: dict[str, str], other: dict[str, str]) -> int:
    return sum(one.get(name) != other.get(name) for name in one.keys() | other.keys())


if __name__ == "__main__":
    main()
