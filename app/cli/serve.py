"""`startrail serve`: the site, and beside it the process that answers traces."""

import os
import signal
import sys
import threading
from typing import Annotated, Any

import typer

from app.cli.computing import InCluster
from app.errors import UserError
from app.settings import get_settings

# Of connections: bytes of all headers, requests at once, seconds that an idle one is kept.
BOUNDS: dict[str, Any] = {
    "h11_max_incomplete_event_size": 32 << 10,
    "limit_concurrency": 1000,
    "timeout_keep_alive": 15,
}
# Seconds after which a thread that computes lets another one: at Python's own 5 ms a page that asks the store forty questions
# waits 0.2 s beside one export.
SWITCH = 0.0005
ROOT_HELP = "Path under which a proxy shows the site, such as /startrail; else STARTRAIL_ROOT_PATH."
ANSWER = 4  # seconds that a look waits for an answer
CHECK_HELP = (
    "Only say whether a site of this machine answers at --port (exit code 0 or 1). In a container with an init, what answered"
    " once and misses three looks is ended, so that it is started again."
)
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
    web_workers: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Processes that answer requests; budgets and limits are each one's own."
        ),
    ] = 1,
    check: Annotated[bool, typer.Option("--check", help=CHECK_HELP)] = False,
    cluster: InCluster = "",
) -> None:
    """Serve the site of STARTRAIL_HOME, by default with a tracing worker beside it.

    Behind a proxy or in several containers, run `startrail serve --no-worker` and `startrail worker` apart.
    """
    if check:
        from app.upkeep.hung import looked_at

        raise typer.Exit(0 if looked_at(lambda: _answers(port)) else 1)
    run_site(host, port, worker=worker, root_path=root_path, web_workers=web_workers, cluster=cluster)


def _answers(port: int) -> bool:
    from urllib.request import urlopen

    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=ANSWER) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def run_site(
    host: str, port: int, *, worker: bool, root_path: str = "", web_workers: int = 1, cluster: str = ""
) -> None:
    """Migrate the store, start the worker if asked, serve until interrupted.

    Args:
        cluster: where the worker has an index's rows searched; empty: by itself.

    Raises:
        UserError: the port is taken, or the database cannot be reached.
    """
    import socket

    import uvicorn
    from rich.console import Console

    from app.logs import write_logs
    from app.main import create_app
    from app.store.engine import migrate
    from app.upkeep.connections import BoundedConnection
    from app.upkeep.running import at_work
    from app.upkeep.supervise import keep

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
    settings = settings.model_validate(settings.model_dump(exclude_unset=True) | given)
    write_logs(settings.log_format, settings.log_level, access=settings.access_log)
    sys.setswitchinterval(SWITCH)
    migrate(settings.url)
    _sweep(settings.url)
    # uvicorn ends by the signal that stopped it, and SIGTERM alone would leave no time to stop the worker.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    stop = threading.Event()
    command = [sys.executable, "-m", "app.cli", "worker", *(["--cluster", cluster] if cluster else [])]
    keeper = threading.Thread(target=keep, args=(command, stop, _say), daemon=True) if worker else None
    if keeper:
        keeper.start()
    shown = "localhost" if host in {"127.0.0.1", "0.0.0.0"} else host
    Console().print(
        f"\n  [bold]★ Startrail[/] is at [bold cyan]http://{shown}:{port}/[/]   (Ctrl+C stops it)\n"
    )
    try:
        with at_work(settings.home):
            options: dict[str, Any] = {
                "host": host,
                "port": port,
                "log_level": "warning",
                "proxy_headers": False,
                "http": BoundedConnection,
            }
            if web_workers == 1:
                uvicorn.run(create_app(settings), **BOUNDS, **options)
            else:  # each process makes its own site, of the same settings
                os.environ |= {"STARTRAIL_HOST": host, "STARTRAIL_ROOT_PATH": settings.root_path}
                uvicorn.run(
                    "app.cli.serve:web_process", factory=True, workers=web_workers, **BOUNDS, **options
                )
    finally:
        stop.set()
        if keeper:
            keeper.join(timeout=10)


def _sweep(url: str) -> None:
    """Take away what killed imports left: where no worker runs, nobody else would."""
    from app.store.arriving import sweep
    from app.store.engine import open_store

    store = open_store(url)
    try:
        sweep(store)
    finally:
        store.close()


def web_process() -> Any:
    """The site, in one of several processes that answer: made of the environment, as everything else of theirs."""
    from app.logs import write_logs
    from app.main import create_app

    settings = get_settings()
    write_logs(settings.log_format, settings.log_level, access=settings.access_log)
    sys.setswitchinterval(SWITCH)
    return create_app(settings)


def _say(line: str) -> None:
    typer.secho(line, fg="yellow", err=True)
