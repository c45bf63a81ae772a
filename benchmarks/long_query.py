"""What the gradient of one long example takes in memory and time, its activations kept and computed again.

    python benchmarks/long_query.py MODEL [--tokens 4096] [--dtype bfloat16]

MODEL is a directory of a home's models. Each way in a process of its own: the most memory it held, less what it held when
the model was loaded, and the seconds of the processor for one pass forward and backward that TrackStar projects.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from _report import Check, finish

from app.models import recomputing
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.load import compute_type, load_model
from app.trackstar.config import EncodingConfig
from app.trackstar.projected_gradients import ProjectedGradients
from app.trackstar.projection import project_weights

KEEPS, AGAIN = "kept", "computed again"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--tokens", type=int, default=4_096)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--way", choices=[KEEPS, AGAIN], help="one way, in this process")
    asked = parser.parse_args()
    if asked.way:
        print(*measured(asked))
        return
    found = {way: in_a_process(asked, way) for way in (KEEPS, AGAIN)}
    for way, (memory, seconds) in found.items():
        print(f"{way:<16} {memory / 2**20:>8,.0f} MiB {seconds:>8.1f} s")
    memory, seconds = (again / kept for kept, again in zip(found[KEEPS], found[AGAIN], strict=True))
    finish("long_query", [Check("memory", memory, "×"), Check("processor seconds", seconds, "×")])


def in_a_process(asked: argparse.Namespace, way: str) -> tuple[float, float]:
    given = [str(asked.model), "--tokens", str(asked.tokens), "--dtype", asked.dtype, "--way", way]
    command = [sys.executable, __file__, *given]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
    memory, seconds = said.split()
    return float(memory), float(seconds)


def measured(asked: argparse.Namespace) -> tuple[float, float]:
    """Bytes and processor seconds."""
    loaded = load_model(asked.model, device="cpu", dtype=compute_type(asked.dtype))
    method = EncodingConfig(second_moments="none")
    capture = Capture(loaded, method.loss)
    projected = project_weights(loaded.weights, method, None, device=loaded.device, dtype=loaded.dtype)
    sink = ProjectedGradients(projected, capture.first_readers, method.blocks)
    recomputing.LONG = asked.tokens if asked.way == KEEPS else 0
    ids = torch.randint(100, 1_000, (asked.tokens,), generator=torch.Generator().manual_seed(0)).tolist()
    example = TrainingExample(tuple(ids), tuple(range(1, len(ids))))
    before, began = most_held(), time.process_time()
    capture.run([example], sink)
    return most_held() - before, time.process_time() - began


def most_held() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


if __name__ == "__main__":
    main()
