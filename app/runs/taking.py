"""A model enters the home: by its name there, from a directory, from the hub, or from a file.

NAME                    in HOME/models
DIRECTORY               linked there; an adapter without its base beside it becomes a directory of links to both
OWNER/NAME[@REVISION]   fetched from the hub at one commit, and linked
s3://BUCKET/NAME        fetched into HOME/models, as is every other address (see `app.places`)
FILE.gguf               dequantised into HOME/models
"""

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from app.errors import UserError
from app.files import whole
from app.models.checkpoint import ADAPTER, CONFIG, adapter_base, check_files
from app.models.gguf import dequantise, is_gguf
from app.models.hub import FETCHED, PICKLED, fetch_model, names_on_hub
from app.places import files_at, is_address, note_address, noted_address
from app.settings import Settings


@dataclass(frozen=True)
class ModelPlace:
    """A model's directory, and its place in HOME/models: one from elsewhere is linked there, so that tracing finds it."""

    directory: Path
    place: Path


def find_model(settings: Settings, model: str) -> ModelPlace:
    """The model of this name, wherever it comes from.

    Raises:
        UserError: there is none, it lacks files or is of a kind that is not read, or another model has its name already.
    """
    known = settings.models / model
    if Path(model).name == model and known.is_dir():
        check_files(known)
        return ModelPlace(known, known)
    if is_address(model):
        return _fetched(settings, model.rstrip("/"))
    given = Path(model).resolve()
    if is_gguf(given):
        return _dequantised(settings, given)
    if _is_model(given):
        return _placed(settings, given, given.name)
    if names_on_hub(model):
        return _placed(settings, fetch_model(model), model.partition("@")[0].partition("/")[2])
    names = ", ".join(sorted(path.name for path in settings.models.glob("*/"))) or "none"
    raise UserError(
        f"There is no model {model!r}, neither in {settings.models} nor as a checkpoint directory.",
        field="model",
        remedy=f"Give one of {names}, a directory with config.json, weights and tokenizer, a GGUF file, an"
        " address (s3://BUCKET/NAME), or OWNER/NAME on the hub.",
    )


def _is_model(directory: Path) -> bool:
    return (directory / CONFIG).is_file() or (directory / ADAPTER).is_file()


def _placed(settings: Settings, given: Path, name: str) -> ModelPlace:
    """The model in the directory `given`, which is called `name` here."""
    place = settings.models / name
    check_files(given)
    if not (given / CONFIG).is_file():
        return _with_its_base(place, given)
    if place.exists() and place.resolve() != given.resolve():
        raise _taken(place, given)
    return ModelPlace(given, place)


def _fetched(settings: Settings, address: str) -> ModelPlace:
    """The model at an address, copied: a home keeps what its indexes were built with."""
    place = settings.models / address.rpartition("/")[2]
    if place.exists():
        if noted_address(place).get("address") != address:
            raise _taken(place, address)
        check_files(place)
        return ModelPlace(place, place)
    found = [each for each in files_at(address) if each.address.rpartition("/")[0] == address]
    if not any(each.name == CONFIG for each in found):
        raise UserError(
            f"No model lies there: it has no {CONFIG}.",
            file=address,
            remedy="Give the address of a checkpoint's directory.",
        )
    plain = any(each.name.endswith(".safetensors") for each in found)
    wanted = FETCHED if plain else [*FETCHED, *PICKLED]
    with whole(place) as partial:
        partial.mkdir(parents=True)
        for each in found:
            if any(fnmatch(each.name, pattern) for pattern in wanted):
                each.fetch(partial / each.name)
        note_address(partial, address)
        check_files(partial)
    return ModelPlace(place, place)


def _dequantised(settings: Settings, file: Path) -> ModelPlace:
    place = settings.models / file.stem
    if not place.exists():
        dequantise(file, place)
    elif file.name not in _card(place):
        raise _taken(place, file)
    return ModelPlace(place, place)


def _with_its_base(place: Path, adapter: Path) -> ModelPlace:
    """A directory of links to an adapter's files and its base's: what the site and a backup take for one model."""
    links = {file.name: file.resolve() for file in [*adapter_base(adapter).iterdir(), *adapter.iterdir()]}
    links = {name: file for name, file in links.items() if file.is_file() and not name.startswith(".")}
    if place.exists():
        if (place / ADAPTER).resolve() != (adapter / ADAPTER).resolve():
            raise _taken(place, adapter)
        return ModelPlace(place, place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole(place) as partial:
        partial.mkdir()
        for name, file in links.items():
            (partial / name).symlink_to(file)
    return ModelPlace(place, place)


def _card(place: Path) -> str:
    card = place / "README.md"
    return card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""


def _taken(place: Path, given: Path | str) -> UserError:
    return UserError(
        f"Another model is called {place.name}.",
        field="model",
        remedy=f"Rename {given}, or link it in {place.parent}.",
    )
