"""Members of a Ray of this machine, killed (SIGKILL) while they encode: the index is that of one process, byte for byte.

    python benchmarks/cluster_kills.py [--kills 20]

A small random model and passages enough for the kills; each time a few more passages are through, a member drawn at random
is killed. Ray starts another in its place, which takes seconds. Needs the extra `ray`.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from _memory import WORDS, save_model
from _report import Check, finish

from app.cluster.hiring import members_of
from app.cluster.joining import Cluster
from app.trackstar.build import build_index
from app.trackstar.config import EncodingConfig

BETWEEN = 12  # passages that are through between two kills
HOW: dict[str, Any] = {
    "method": EncodingConfig(projection_dim=3, second_moments="none"),
    "corpus_name": "random",
    "sample": 16,
    "shard_rows": 4,
    "batch_tokens": 256,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    kills = parser.parse_args().kills
    chance = random.Random(0)
    passages = [
        (f"p{number}", " ".join(chance.choices(WORDS, k=16))) for number in range(2 * BETWEEN * (kills + 1))
    ]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = save_model(place / "model")
        build_index(model, passages, place / "alone", **HOW)
        began = time.monotonic()
        killed = killed_while_built(model, passages, place / "together", kills)
        print(f"{len(killed)} members killed in {time.monotonic() - began:.0f} s")
        alone, together = (
            {file.name: file.read_bytes() for file in (place / name).iterdir()}
            for name in ("alone", "together")
        )
    differ = sum(alone.get(name) != together.get(name) for name in alone.keys() | together.keys())
    finish(
        "cluster_kills",
        [
            Check("members killed", len(killed), "", kills),
            Check("files that differ from those of one process", differ, "", 0, at_most=True),
        ],
    )


def killed_while_built(model: Path, passages: list[tuple[str, str]], out: Path, kills: int) -> list[int]:
    """Builds an index with two members and kills them; the processes that were killed."""
    cluster, killed, hired = Cluster("local", members=2), list[int](), []
    last = 0
    with cluster.joined() as ray:

        def hands(loaded: Any) -> Any:
            hired.append(members_of(ray, cluster, {"path": model}, "cpu")(loaded))
            return hired[-1]

        def progress(done: int, total: int) -> None:
            nonlocal last
            if len(killed) == kills or done - last < BETWEEN or done >= total:
                return
            last = done
            process = ray.get(random.choice(hired[-1].members).process.remote())
            if process not in killed:
                os.kill(process, signal.SIGKILL)
                killed.append(process)

        build_index(model, passages, out, hands=hands, progress=progress, **HOW)
    return killed


if __name__ == "__main__":
    main()
