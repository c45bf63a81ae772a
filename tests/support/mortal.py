"""Real worker processes to be killed.

They are forked from a process that has loaded what a worker loads, so that the next one is there within half a
second rather than five. What runs in them is the command itself.
"""

import os
import signal
from collections.abc import Iterator
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
    os.environ.update(STARTRAIL_HOME=str(home), STARTRAIL_DATABASE_URL=url, STARTRAIL_STEPS_PER_LANE="0")
    from app.cli.worker import worker

    worker(device="cpu", threads=1, check=False)


@contextmanager
def worker_process(home: Path, url: str) -> Iterator[ForkServerProcess]:
    """A worker that loads as the block begins and is dead, by SIGKILL, when it ends."""
    process = forking.Process(target=run, args=(home, url))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL, "it lived until it was killed"
