"""`startrail mcp`: the site's tools for agents, over standard input and output."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `mcp`."""
    app.command(help=mcp.__doc__)(mcp)


def mcp(
    url: Annotated[
        str, typer.Option(help="A running site; without it the home of STARTRAIL_HOME, in this process.")
    ] = "",
    token: Annotated[
        str, typer.Option(envvar="STARTRAIL_TOKEN", help="What the site's operator gave you.")
    ] = "",
) -> None:
    """Serve an agent over standard input and output: search, read, trace, step and compare (Model Context Protocol).

    The agent may do what the site lets its token do, and no more. Needs `pip install 'startrail[mcp]'`.
    """
    from app.settings import get_settings
    from startrail.agents import make_server
    from startrail.client import Client
    from startrail.home import Home

    with Client(url, token=token) if url else Home(get_settings().home) as client:
        make_server(client).run("stdio")
