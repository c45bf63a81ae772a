"""`startrail serve`: the site, and beside it the process that answers traces."""

import signal
import subprocess
import sys
import threading
import time
from typing import Annotated

import typer

from app.errors import UserError
from app.settings import get_settings

HEALTHY = 60.0  # seconds: what lived so long and died is started again without much waiting
ROOT_HELP = "Path under which a proxy shows the site, such as /startrail; else STARTRAIL_ROOT_PATH."
HOST_HELP = "Address to listen on; 0.0.0.0 for every interface."


def register(app: typer.Typer) -> None:
    """Add `serve`."""
    app.command(name="serve", help=serve.__doc__)(serve)


def serve(
    host: Annotated[str, typer.Option(help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    worker: Annotated[
        bool, typer.Option(help="Also run the tracing worker, and start it again should it die.")
    ] = True,
    root_path: Annotated[str, typer.Option(help=ROOT_HELP)] = "",
) -> None:
    """Serve the site of STARTRAIL_HOME, by default with a tracing worker beside it.

    Behind a proxy or in several containers, run `startrail serve --no-worker` and `startrail worker` apart.
    """
    run_site(host, port, worker=worker, root_path=root_path)


def run_site(host: str, port: int, *, worker: bool, root_path: str = "") -> None:
    """Migrate the store, start the worker if asked, serve until interrupted.

    Raises:
        UserError: the port is taken, or the database cannot be reached.
    """
    import socket

    import uvicorn
    from rich.console import Console

    from app.main import create_app
    from app.store.engine import migrate
    from app.upkeep.running import at_work

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"Cannot listen on {host}:{port}: {error.strerror}.", remedy="Choose another with --port."
            ) from None
    settings = get_settings()
    given = {"host": host} | ({"root_path": root_path} if root_path else {})
    settings = settings.model_validate(settings.model_dump() | given)
    migrate(settings.url)
    # uvicorn ends by the signal that stopped it, and SIGTERM alone would leave no time to stop the worker.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_worker, args=(stop,), daemon=True) if worker else None
    if keeper:
        keeper.start()
    shown = "localhost" if host in {"127.0.0.1", "0.0.0.0"} else host
    Console().print(
        f"\n  [bold]★ Startrail[/] is at [bold cyan]http://{shown}:{port}/[/]   (Ctrl+C stops it)\n"
    )
    try:
        with at_work(settings.home):
            uvicorn.run(create_app(settings), host=host, port=port, log_level="warning", proxy_headers=False)
    finally:
        stop.set()
        if keeper:
            keeper.join(timeout=10)


def _keep_worker(stop: threading.Event) -> None:
    """Run `startrail worker` until `stop`; start it again when it dies, ever more slowly if it dies young."""
    pause = 1.0
    while not stop.is_set():
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "app.cli", "worker"])
        while process.poll() is None:
            if stop.wait(0.2):
                process.terminate()
                try:
                    process.wait(timeout=8)
                except subprocess.TimeoutExpired:
                    process.kill()
                return
        if time.monotonic() - started > HEALTHY:
            pause = 1.0
        typer.secho(
            f"The tracing worker ended (exit {process.returncode}); it is started again in {pause:.0f} s.",
            fg="yellow",
            err=True,
        )
        stop.wait(pause)
        pause = min(pause * 2, 60)
