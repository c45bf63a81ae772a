"""An index goes to an address, and comes from one: `startrail send` and `startrail fetch`."""

from collections.abc import Callable, Iterable
from pathlib import Path

from app.digests import file_sha256
from app.errors import NotFound, UserError
from app.files import whole
from app.places import (
    NOTE,
    PlacedFile,
    file_at,
    files_at,
    note_address,
    noted_address,
    remove,
    send,
    send_text,
)
from app.runs.index_care import verify
from app.trackstar.index import open_index
from app.trackstar.manifest import FILE, IndexManifest

BEGUN = "sending.txt"
"""At an address that an index is sent to, until its manifest is there: the manifest's checksum."""
Step = Callable[[int, int], None]


def send_index(place: Path, address: str, step: Step) -> None:
    """Copy an index to an address, its manifest last: there is an index there only when it is whole. Sending that was
    stopped goes on with the files that are not there yet.

    Args:
        step: told bytes sent and in all.

    Raises:
        UserError: the index is damaged or lies elsewhere itself, or another one is at the address.
    """
    if noted_address(place):
        raise UserError(
            f"{place.name} was fetched from {noted_address(place)['address']}.",
            field="index",
            remedy="Copy it from there.",
        )
    verify(place)
    sha256, manifest = file_sha256(place / FILE), f"{address}/{FILE}"
    if there := file_at(manifest):
        if there.read() == (place / FILE).read_bytes():
            return
        raise UserError(
            "Another index lies at this address.",
            file=address,
            remedy="Choose another, or remove what is there.",
        )
    begun = file_at(f"{address}/{BEGUN}")
    sent = {}
    if begun and begun.read().decode() == sha256:
        sent = {each.address: each.size for each in files_at(address)}
    else:
        send_text(sha256, f"{address}/{BEGUN}")
    files = [
        file for file in sorted(place.rglob("*")) if file.is_file() and _belongs(file.relative_to(place))
    ]
    total, done = sum(file.stat().st_size for file in files), 0
    for file in files:
        to = f"{address}/{file.relative_to(place).as_posix()}"
        size = file.stat().st_size
        if sent.get(to) != size:
            send(file, to)
        done += size
        step(done, total)
    send(place / FILE, manifest)
    remove(f"{address}/{BEGUN}")


def fetch_index(address: str, place: Path, room: int, step: Step) -> IndexManifest:
    """Have the index at an address here: all but its shards, which come when they are looked at.

    Args:
        room: bytes of shards that are kept here; 0: all, and they are fetched now. Fetching that was stopped goes on.
        step: told files fetched and in all.

    Raises:
        UserError: there is no index at the address, another one has its name here, or a file is not what its manifest says.
    """
    if place.exists():
        if noted_address(place).get("address") != address:
            raise UserError(
                f"There is an index {place.name} already.", field="name", remedy="Choose another --name."
            )
    else:
        _without_shards(address, place, room)
    index = open_index(place)
    if not room:
        shards, come = len(index.rows), 0

        def one(files: int) -> None:
            nonlocal come
            come += files
            step(come, shards)

        index.rows.gather(one)
    return index.manifest


def _without_shards(address: str, place: Path, room: int) -> None:
    files = {each.address.removeprefix(f"{address}/"): each for each in files_at(address)}
    if FILE not in files:
        raise NotFound(
            f"There is no index at {address}.", remedy="Check the address: its folder has a manifest.json."
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole(place) as partial:
        partial.mkdir()
        files[FILE].fetch(partial / FILE)
        manifest = IndexManifest.read(partial)
        shards = {shard.file for shard in manifest.shards}
        _stay_inside([*files, *shards, *manifest.files], address)
        _fetch({name: each for name, each in files.items() if name not in shards and name != BEGUN}, partial)
        for name, sha256 in manifest.files.items():
            if not (partial / name).is_file() or file_sha256(partial / name) != sha256:
                raise UserError(
                    "This file is not what the index's manifest says.",
                    file=f"{address}/{name}",
                    remedy="Send the index again.",
                )
        note_address(partial, address, room=room)


def _stay_inside(names: Iterable[str], address: str) -> None:
    """Whoever wrote what lies at an address must not choose where files are written here.

    Raises:
        UserError: a name leads out of the index's directory.
    """
    for name in names:
        if name.startswith("/") or {"", ".", ".."} & set(name.split("/")):
            raise UserError(
                f"The index has a file {name!r}, which would lie outside its directory.",
                file=address,
                remedy="Fetch an index that `startrail send` put there.",
            )


def _fetch(files: dict[str, PlacedFile], directory: Path) -> None:
    for name, each in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        each.fetch(directory / name)


def _belongs(path: Path) -> bool:
    return path.name not in (NOTE, FILE) and not any(part.startswith(".") for part in path.parts)
