"""A small real world for tests: the demo's model, some of its prompts, and the passages that matter to them.

Built once a session by the code that `startrail demo` runs, so that nothing a test sees is made up.
"""

import gzip
import json
from pathlib import Path
from random import Random

from app.demo.shipped import corpus_path, endings_path, model_path, prompts_path
from app.runs.demo_world import DemoFiles, build_demo
from app.settings import Settings
from app.store.engine import open_store

PROMPTS_PER_TASK = 6
MORE_PASSAGES = 300  # beyond those that state the prompts' facts


def small_world(folder: Path) -> DemoFiles:
    """Some prompts of each task, and facts stated once, where the model errs; all that states them, and other passages."""
    prompts = _read(prompts_path())
    rng = Random(7)
    chosen = []
    for task in ("fact", "commonsense", "arithmetic", "open_ended"):
        own = [prompt for prompt in prompts if prompt["task"] == task]
        chosen += rng.sample(own, PROMPTS_PER_TASK)
    once = [
        prompt for prompt in prompts if prompt["task"] == "fact" and len(prompt["entailing_passage_ids"]) == 1
    ]
    chosen += rng.sample([prompt for prompt in once if prompt not in chosen], PROMPTS_PER_TASK)
    passages = _read(corpus_path())
    wanted = {id_ for prompt in chosen for id_ in prompt["entailing_passage_ids"]}
    others = [passage["id"] for passage in passages if passage["id"] not in wanted]
    wanted |= set(rng.sample(others, MORE_PASSAGES))
    endings = _read(endings_path())[:PROMPTS_PER_TASK]
    wanted |= {id_ for prompt in endings for id_ in prompt["entailing_passage_ids"]}
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "corpus.jsonl", [passage for passage in passages if passage["id"] in wanted])
    _write(folder / "prompts.jsonl", chosen)
    _write(folder / "endings.jsonl", endings)
    return DemoFiles(
        model_path(), folder / "corpus.jsonl", folder / "prompts.jsonl", folder / "endings.jsonl"
    )


def build_small(home: Path, database_url: str = "") -> Settings:
    """A home directory with model, index, store and both runs; returns its settings."""
    settings = Settings(home=home, database_url=database_url)
    with open_store(settings.url, migrate=True) as store:
        build_demo(settings, store, small_world(home / "source"))
    return settings


def _read(file: Path) -> list[dict]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _write(file: Path, rows: list[dict]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
