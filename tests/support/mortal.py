"""Real processes to be killed: workers, and commands.

They are forked from a process that has loaded what they load, so that the next one is there within half a second rather
than five. What runs in them is the command itself.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

forking = get_context("forkserver")
forking.set_forkserver_preload(
    [
        "app.cli.worker",
        "app.cli.progress",
        "app.tracing.trace_engine",
        "transformers.models.llama.modeling_llama",
        "pytest",
    ]
)


def run(home: Path, url: str) -> None:
    """`startrail worker` with the settings of a home and a database; what is asked is done, and no steps besides."""
    _settle(home, url)
    from app.cli.worker import worker

    worker(device="cpu", threads=1, check=False)


def command(home: Path, url: str, words: Sequence[str]) -> None:
    """`startrail …`, which saves what it measures passage by passage."""
    _settle(home, url)
    from app.cli.main import app
    from app.evaluation import patching

    patching.CHUNK = 1
    app(list(words))


def _settle(home: Path, url: str) -> None:
    os.environ.update(STARTRAIL_HOME=str(home), STARTRAIL_DATABASE_URL=url, STARTRAIL_STEPS_PER_LANE="0")
    os.environ["STARTRAIL_DEVICE"] = "cpu"


@contextmanager
def worker_process(home: Path, url: str) -> Iterator[ForkServerProcess]:
    """A worker that loads as the block begins and is dead, by SIGKILL, when it ends."""
    with _killed(forking.Process(target=run, args=(home, url))) as process:
        yield process


@contextmanager
def command_process(home: Path, url: str, *words: str) -> Iterator[ForkServerProcess]:
    """A command that begins with the block and is dead, by SIGKILL, when it ends."""
    with _killed(forking.Process(target=command, args=(home, url, words))) as process:
        yield process


@contextmanager
def _killed(process: ForkServerProcess) -> Iterator[ForkServerProcess]:
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL, "it lived until it was killed"
