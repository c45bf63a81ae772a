"""A model, a corpus and an index small enough to make in seconds, for tests that ask questions of them.

Everything is made by the code that makes the real ones; only the sizes are small, so what the model says is
nonsense. Tests of tracing ask whether the right thing was computed, not whether the model is any good.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.demo.pretrain import PretrainConfig, pretrain
from app.settings import Settings
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store, open_store
from app.tracing.trace_engine import TraceEngine, use_threads
from app.tracing.worker import Worker
from app.trackstar.config import EncodingConfig
from app.trackstar.index import build_index
from tests.support.demo_texts import demo_world
from tests.support.once import once

PASSAGES = 300
CONTEXT = 96
SIZES = PretrainConfig(
    hidden_size=32,
    layers=2,
    heads=2,
    kv_heads=2,
    intermediate_size=64,
    vocab_size=400,
    epochs=1,
    max_length=CONTEXT,
)


@lru_cache(1)
def passages() -> list[tuple[str, str]]:
    """The first passages of the demo's world."""
    return [(p["id"], p["text"]) for p in demo_world().passages[:PASSAGES]]


@lru_cache(1)
def made_home() -> Path:
    """A home directory with the model and the index `demo`, and an SQLite store with the corpus; made once for all
    workers, and each has a copy."""
    home = Path(tempfile.mkdtemp(prefix="startrail-asking-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    use_threads(1)
    shutil.copytree(once("asking", _make_home), home, dirs_exist_ok=True)
    return home


def _make_home(home: Path) -> None:
    settings = settings_of(home)
    pretrain([text for _, text in passages()], settings.models / "demo", SIZES)
    build_index(
        settings.models / "demo",
        passages(),
        settings.indexes / "demo",
        method=EncodingConfig(projection_dim=8),
        corpus_name="demo",
        model_name="demo",
    )
    store = open_store(settings.url, migrate=True)
    put_corpus(store)
    store.engine.dispose()


def settings_of(home: Path, url: str = "", **changes: Any) -> Settings:
    """Settings that no environment changes."""
    quiet: dict[str, Any] = {
        "steps_per_lane": 0
    } | changes  # a test says `worker.step()` for what it asked, and no more
    return Settings(home=home, database_url=url, device="cpu", _env_file=None, **quiet)


def put_corpus(store: Store) -> None:
    """The passages, in a store."""
    with store.session() as session:
        add_corpus(session, "demo", [PassageRecord(id_, text) for id_, text in passages()])


@contextmanager
def worker_of(settings: Settings, store: Store) -> Iterator[Worker]:
    """A worker that answers when the test says `step()`; its heart stops with the block."""
    with Worker(store, TraceEngine(settings, store, device="cpu")).opened() as worker:
        yield worker
