"""Two stages: what ordering a hundred candidates exactly costs beside the model's own work, and the whole of an answer.

    python benchmarks/rerank.py [--home startrail-home] [--rounds 20] [--recall 0]

Over the demo world (built first where the home has none, with EK-FAC's factors). In turn and warm, for each question:
forward and backward of its hundred candidates as a training step takes them; their exact influence; the answer's gradient
turned by the factors; and all of an answer, from encoding the question to ten steps on what it found and ten on random
passages. Seconds of the clock and, because a machine may be busy, of the processor. `--recall N` also measures how many
of EK-FAC's first ten over all passages the candidates hold, for N questions (a pass over the corpus or two).
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from _report import Check, finish
from transformers import AutoModelForCausalLM

from app.curvature.deciding import CANDIDATES
from app.curvature.influence import BATCH_TOKENS
from app.curvature.place import manifest_of
from app.models.batching import length_batches
from app.models.examples import TrainingExample
from app.models.text import Query
from app.runs.building import task_queries
from app.runs.recall import measure_recall
from app.settings import Settings
from app.store.corpora import get_corpus, stream_lessons
from app.store.engine import open_store
from app.tracing.loaded import LoadedIndex, open_loaded
from app.tracing.trace_engine import use_threads
from app.words.roles import Lesson

STEPS = 10  # on passages found, and as many on random ones
SECONDS, WHOLE = 1.0, 3.0
Of = TypeVar("Of")


def main() -> None:
    asked = arguments()
    settings = Settings(home=asked.home.resolve(), device="cpu")
    if not manifest_of(settings.indexes / "demo").is_file():
        command = [sys.executable, "-m", "app.cli", "demo", "--build-only"]
        subprocess.run(command, check=True, env={**os.environ, "STARTRAIL_HOME": str(asked.home)})
    use_threads()
    store = open_store(settings.url)
    loaded = open_loaded(settings, store, settings.default_index)
    with store.session() as session:
        corpus = get_corpus(session, loaded.index.manifest.corpus.name)
        lessons = [lesson for _, lesson in stream_lessons(session, corpus.id)]
    queries = random.Random(0).sample(task_queries(store, "demo"), asked.rounds + 2)
    checks = measured(loaded, settings.models / "demo", queries, lessons)
    if asked.recall:
        found = measure_recall(settings, store, settings.default_index, "demo", most=asked.recall)
        print(f"Recall of {found.candidates}: {found.share:.3f} [{found.low:.3f}, {found.high:.3f}]")
        checks.append(Check(f"of EK-FAC's first {found.first}, among the candidates", found.share, "share"))
    finish("rerank", checks)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path(os.environ.get("STARTRAIL_HOME", "startrail-home"))
    parser.add_argument("--home", type=Path, default=home)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--recall", type=int, default=0, metavar="N", help="questions; 0: not measured")
    return parser.parse_args()


class Clocks:
    """Seconds of what was measured, by name, of the clock and of the processor."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}

    def time(self, name: str, work: Callable[[], Of]) -> Of:
        """What `work` gives; how long it took is kept."""
        started = time.perf_counter(), time.process_time()
        made = work()
        self.wall.setdefault(name, []).append(time.perf_counter() - started[0])
        self.processor.setdefault(name, []).append(time.process_time() - started[1])
        return made


def measured(loaded: LoadedIndex, model: Path, queries: list[Query], lessons: list[Lesson]) -> list[Check]:
    """The median over questions of each part; the first two warm everything up."""
    bare = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    second, patch, draw = loaded.deciding, loaded.patch(), random.Random(0)
    assert second is not None
    clocks = Clocks()
    for at, query in enumerate(queries):
        clocks = Clocks() if at == 2 else clocks
        target = loaded.model.texts.query(query)

        rows = clocks.time("find", partial(near, loaded, query))
        passages = loaded.model.texts.passages([lessons[row] for row in rows])
        clocks.time("bare", partial(forward_backward, bare, passages))
        direction = clocks.time("turn", partial(second.direction, target))
        order = partial(second.order, direction, passages, np.array(rows), STEPS)
        _, best = clocks.time("order", order)
        stepped = [lessons[row] for row in [*best, *draw.sample(range(len(lessons)), STEPS)]]
        clocks.time("step", partial(patch.measure, query, stepped))
    return reported(clocks)


def near(loaded: LoadedIndex, query: Query) -> list[int]:
    """The rows of the candidates."""
    vectors = loaded.encoder.encode_queries([query])
    ((own, _, _),) = loaded.influence([vectors], [(CANDIDATES, False)])[0]
    return [row for row, _ in own]


def forward_backward(model: torch.nn.Module, passages: list[TrainingExample]) -> None:
    """What a training step takes of these passages, batched by length as ours are."""
    for rows in length_batches([one.size for one in passages], BATCH_TOKENS):
        own = [passages[row].ids for row in rows]
        longest = max(map(len, own))
        ids = torch.tensor([[*one, *[0] * (longest - len(one))] for one in own])
        labels = torch.tensor([[*one, *[-100] * (longest - len(one))] for one in own])
        model(input_ids=ids, labels=labels).loss.backward()
        model.zero_grad(set_to_none=True)


def reported(clocks: Clocks) -> list[Check]:
    wall = {name: median(values) for name, values in clocks.wall.items()}
    spent = {name: median(values) for name, values in clocks.processor.items()}
    for name, said in NAMES.items():
        print(f"{said:<64} {wall[name]:7.3f} s, {spent[name]:7.3f} s of the processor")
    rerank = [wall["turn"] + wall["order"], spent["turn"] + spent["order"]]
    whole = [sum(own[name] for name in ("find", "turn", "order", "step")) for own in (wall, spent)]
    ratio = median(a / b for a, b in zip(clocks.processor["order"], clocks.processor["bare"], strict=True))
    return [
        Check("re-ranking 100 candidates, clock", rerank[0], "s", SECONDS, at_most=True),
        Check("the same, processor", rerank[1], "s"),
        Check("their exact influence / forward + backward of them", ratio, "×", 1.0, at_most=True),
        Check("the same with the question's own part", rerank[1] / spent["bare"], "×"),
        Check("found, re-ranked and 20 steps, clock", whole[0], "s", WHOLE, at_most=True),
        Check("the same, processor", whole[1], "s"),
    ]


NAMES = {
    "find": "encode the question, find 100 candidates",
    "bare": "forward + backward of the candidates, as a step takes them",
    "turn": "the question's gradient, turned by the factors",
    "order": "the candidates' exact influence",
    "step": "one step on each of ten found and ten random passages",
}

if __name__ == "__main__":
    main()
