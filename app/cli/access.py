"""`startrail tokens`, `show` and `changes`: who may do what, to whom things are shown, and who changed what."""

from typing import Annotated

import typer

from app.settings import get_settings

tokens = typer.Typer(
    no_args_is_help=True, help="Give out and revoke tokens, by which people and scripts sign in."
)


def register(app: typer.Typer) -> None:
    """Add `tokens add`, `tokens list`, `tokens revoke`, `show` and `changes`."""
    app.add_typer(tokens, name="tokens")
    app.command(name="show", help=show.__doc__)(show)
    app.command(name="changes", help=changes.__doc__)(changes)


@tokens.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who or what holds it, as the audit log is to call them.")],
    scope: Annotated[
        list[str],
        typer.Option(help="What it allows: read, ask, import, metrics or admin; several times for several."),
    ],
    days: Annotated[int, typer.Option(min=0, help="Days until it ends; 0: never.")] = 365,
) -> None:
    """Make a token. It is printed once, and kept only as a digest."""
    from datetime import timedelta

    from app.cli.opening import open_store
    from app.cli.progress import errors
    from app.store import audit, tokens
    from app.store.base import now

    with open_store(get_settings().url, migrate=True).session() as session:
        ends = now() + timedelta(days=days) if days else None
        secret = tokens.add(session, name, scope, expires_at=ends)
        audit.record(session, "add token", name, scopes=", ".join(scope))
    errors.print(f"A token for {name}, shown this once:", markup=False)
    typer.echo(secret)


@tokens.command("list")
def list_() -> None:
    """The tokens given out, with what they allow and when they were last used."""
    from app.cli.opening import open_store
    from app.cli.progress import console, listing
    from app.store import tokens

    with open_store(get_settings().url, migrate=True).session() as session:
        found = tokens.all_of(session)
    if not found:
        console.print("No token was given out. `startrail tokens add NAME --scope ask` makes one.")
        return
    rows = [
        (
            each.name,
            ", ".join(each.scopes),
            f"{each.created_at:%Y-%m-%d}",
            "revoked" if each.revoked_at else f"{each.expires_at:%Y-%m-%d}" if each.expires_at else "never",
            f"{each.used_at:%Y-%m-%d %H:%M}" if each.used_at else "never",
        )
        for each in found
    ]
    console.print(listing("token", "may", "made", "ends", "last used", rows=rows))


@tokens.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="The token's name.")]) -> None:
    """End a token now; whoever signed in with it is signed out."""
    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.store import audit, tokens

    with open_store(get_settings().url, migrate=True).session() as session:
        tokens.revoke(session, name)
        audit.record(session, "revoke token", name)
    console.print(f"✓ token {name} opens nothing any more", markup=False)


def show(
    kind: Annotated[str, typer.Argument(help="run or corpus.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
    to: Annotated[
        str,
        typer.Option(
            help="public: everybody; unlisted: whoever has the link that is printed; private: whoever is signed in."
        ),
    ],
) -> None:
    """Say to whom a run or corpus is shown. A corpus hides its passages and every run over it."""
    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.store.showing import KEY, address_of
    from app.store.showing import show as show_to

    settings = get_settings()
    with open_store(settings.url, migrate=True).session() as session:
        secret = show_to(session, kind, name, to)
    console.print(f"✓ {kind} {name} is {to}", markup=False)
    if secret:
        typer.echo(f"{settings.base_url.rstrip('/')}{address_of(kind, name)}?{KEY}={secret}")


def changes(
    last: Annotated[int, typer.Option(min=1, help="How many of the last changes.")] = 50,
) -> None:
    """Who changed what, newest first."""
    from app.cli.opening import open_store
    from app.cli.progress import console, listing
    from app.store import audit

    with open_store(get_settings().url, migrate=True).session() as session:
        found = audit.recent(session, last)
    rows = [
        (f"{each.at:%Y-%m-%d %H:%M:%S}", each.who, each.action, each.what, _said(each.detail))
        for each in found
    ]
    console.print(listing("when (UTC)", "who", "did", "what", "", rows=rows))


def _said(detail: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())
