"""`startrail worker`: the process that answers what is asked on the site."""

from typing import Annotated

import typer

from app.settings import get_settings


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
) -> None:
    """Answer questions asked at /trace, over the API and with `startrail trace`.

    Run one per device. The model and the index of STARTRAIL_DEFAULT_INDEX are loaded once; `startrail serve`
    starts a worker by itself. Stop it with Ctrl+C: what it has in hand then waits for the next.
    """
    import logging
    import signal
    from types import FrameType

    from app.cli.progress import errors
    from app.store.engine import open_store
    from app.tracing.engine import TraceEngine, use_threads
    from app.tracing.worker import Worker

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    settings = get_settings()
    store = open_store(settings.url)
    use_threads(threads)
    running = Worker(store, TraceEngine(settings, store, device=device or settings.device))

    def stop(_number: int, _frame: FrameType | None) -> None:
        running.stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    errors.print(f"Tracing worker {running.name} is loading on {running.engine.device} …")
    running.run(ready=lambda: errors.print("Tracing worker is ready."))
