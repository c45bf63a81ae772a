"""`startrail migrate`: bring the database up to date without serving."""

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `migrate`."""
    app.command(name="migrate", help=migrate.__doc__)(migrate)


def migrate() -> None:
    """Create the database's tables, or bring them to this version. Other commands do so by themselves.

    Useful before an upgrade in several containers: migrate once, then start them.
    """
    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.store.engine import check_version

    store = open_store(get_settings().url, migrate=True)
    check_version(store.engine)
    console.print(f"[green]✓[/] {store.engine.url.render_as_string()} is up to date")
