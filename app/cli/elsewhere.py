"""`startrail send` and `startrail fetch`: an index at an address."""

from typing import Annotated

import typer

from app.errors import UserError
from app.settings import get_settings

ADDRESS = "s3://BUCKET/PATH, gs://BUCKET/PATH, file:///PATH: what fsspec reads."


def register(app: typer.Typer) -> None:
    """Add `send` and `fetch`."""
    app.command(name="send", help=send.__doc__)(send)
    app.command(name="fetch", help=fetch.__doc__)(fetch)


def send(
    index: Annotated[str, typer.Argument(help="An index in HOME/indexes.")],
    address: Annotated[str, typer.Argument(help=ADDRESS)],
) -> None:
    """Copy an index to an address, from where `startrail fetch` has it on another machine.

    Its manifest comes last, so that whoever looks sees a whole index or none. What was stopped goes on where it was. Credentials
    and endpoint are read from the environment: AWS_PROFILE, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS.
    """
    from app.cli.progress import bar, console, kilobytes
    from app.runs.building import index_place
    from app.runs.elsewhere import send_index

    to = _address(address)
    with bar("Sending the index, kB") as step:
        send_index(index_place(get_settings(), index), to, kilobytes(step))
    console.print(f"{index} lies at {to}: startrail fetch {to}", soft_wrap=True)


def fetch(
    address: Annotated[str, typer.Argument(help=ADDRESS)],
    name: Annotated[str, typer.Option(help="Its name here; default: the last part of the address.")] = "",
    room: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="GB",
            help="Keep so many GB of its shards here, and fetch each when it is searched; 0: fetch all now.",
        ),
    ] = 0,
) -> None:
    """Have an index that lies at an address. Its model and corpus have to be here, as with every index.

    With --room a search fetches what is not here, and shards that were used longest ago give way: slower, and right. A
    member of a cluster that searches a part of the index fetches that part only.
    """
    from app.cli.progress import bar, console
    from app.runs.building import index_place
    from app.runs.elsewhere import fetch_index
    from app.trackstar.placed import GB

    source = _address(address)
    place = index_place(get_settings(), name or source.rpartition("/")[2])
    with bar("Fetching shards") as step:
        manifest = fetch_index(source, place, round(room * GB), step)
    console.print(
        f"{place.name}: {manifest.passages:,} passages of {manifest.corpus.name}, encoded by {manifest.model.name}.",
        soft_wrap=True,
    )


def _address(given: str) -> str:
    from app.places import is_address

    if not is_address(given):
        raise UserError(
            f"{given!r} is no address.", field="address", remedy="Write s3://BUCKET/PATH, for example."
        )
    return given.rstrip("/")
