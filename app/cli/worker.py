"""`startrail worker`: the process that answers what is asked on the site."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.computing import ComputeType, InCluster, computing_in
from app.settings import get_settings

if TYPE_CHECKING:
    from app.store.engine import Store

CHECK_HELP = (
    "Only say whether a worker of this machine lives (exit code 0 or 1). In a container with an init, one that lived and misses"
    " three looks is ended, so that it is started again."
)


def register(app: typer.Typer) -> None:
    """Add `worker`."""
    app.command(name="worker", help=worker.__doc__)(worker)


def worker(
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:1, …; empty: STARTRAIL_DEVICE.", show_default=False)
    ] = "",
    threads: Annotated[
        int, typer.Option(min=0, help="Processor threads; 0 leaves one core to the site.")
    ] = 0,
    dtype: ComputeType = "",
    cluster: InCluster = "",
    check: Annotated[
        bool,
        typer.Option("--check", help=CHECK_HELP),
    ] = False,
) -> None:
    """Answer questions asked at /trace, over the API and with `startrail trace`.

    Run one per device. The model and the index of STARTRAIL_DEFAULT_INDEX are loaded once; `startrail serve`
    starts a worker by itself. Stop it with Ctrl+C: what it has in hand then waits for the next.
    """
    import os
    import signal
    from types import FrameType

    from app.cli.opening import open_store
    from app.cli.progress import errors
    from app.upkeep.supervise import beat, end_with_starter

    settings = computing_in(get_settings(), dtype)
    if check:
        from app.upkeep.hung import looked_at

        found = open_store(settings.url)
        raise typer.Exit(0 if looked_at(lambda: _lives(found)) else 1)
    end_with_starter()
    store = _reach(settings.url)
    from app.logs import write_logs
    from app.tracing.trace_engine import TraceEngine, use_threads
    from app.tracing.worker import Worker
    from app.upkeep.running import at_work

    write_logs(settings.log_format, settings.log_level, access=False)
    use_threads(threads)
    if hasattr(os, "nice"):
        os.nice(10)  # where site and worker share processors, pages come first
    # Who waits for a worker that hangs waits for ever; `startrail serve` and any supervisor start another.
    engine = TraceEngine(settings, store, device=device or settings.device, cluster=cluster)
    running = Worker(store, engine, hung=lambda: os._exit(70), beats=beat)

    def stop(_number: int, _frame: FrameType | None) -> None:
        running.stopping.set()
        if running.status == "loading":  # a large model takes minutes, and nothing is in hand
            raise SystemExit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    errors.print(f"Tracing worker {running.name} is loading on {running.engine.device} …")
    with at_work(settings.home):
        running.run(ready=lambda: errors.print("Tracing worker is ready."))


def _reach(url: str) -> "Store":
    """The store, once it can be reached: whoever starts a worker again and again would do it ever more slowly."""
    import time

    from app.cli.opening import open_store
    from app.cli.progress import errors
    from app.errors import UserError

    said = ""
    while True:
        try:
            return open_store(url)
        except UserError as error:
            if error.status != 503:  # it is there, and of another version
                raise
            if str(error) != said:
                said = str(error)
                errors.print(f"The worker waits: {said}", markup=False)
            time.sleep(1)


def _lives(store: "Store") -> bool:
    import socket

    from app.store.workers import alive

    with store.session() as session:
        here = f"{socket.gethostname()[:50]}/"
        return any(each.id.startswith(here) and each.status != "failed" for each in alive(session))
