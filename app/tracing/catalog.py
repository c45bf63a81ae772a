"""What can be asked here: the indexes on disk, each with the model it was built for. Knows no torch.

Files are read again only when they changed, so that a question costs a few `stat` calls.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from app.curvature.place import manifest_of
from app.digests import file_sha256
from app.errors import UserError
from app.models.chat_template import TemplateFiles
from app.models.context_length import longest_input
from app.models.continuing import continuing, whole
from app.models.marks import Marks
from app.models.spelling import LETTER, spell
from app.settings import Settings
from app.trackstar.manifest import IndexManifest

# Directories beside an index's encodings where the words of its corpus are kept: by what they are searched.
BY_WORDS = "bm25"
WORD_FOR_WORD = "verbatim"
KEPT_WORDS = (BY_WORDS, WORD_FOR_WORD)


@dataclass(frozen=True)
class Askable:
    """An index and its model, found on disk and fitting each other."""

    index: str
    index_sha256: (
        str  # of its manifest, and of its factors' where it has some: they name every other file's checksum
    )
    model: str
    model_sha256: str
    corpus: str
    passages: int
    model_path: Path
    context: int | None  # tokens; None if neither the model's nor the tokenizer's configuration says
    start: int  # tokens that begin every text

    def ids(self, text: str, *, continuing: bool = False) -> tuple[int, ...] | None:
        """Tokens of the text without special ones; None if only the worker can tell.

        Args:
            continuing: the text goes on from another, instead of beginning one.
        """
        found = self._tokenizer()
        if found is None:
            return None
        return tuple(found[continuing].encode(text, add_special_tokens=False).ids)

    @property
    def chats(self) -> bool:
        """Whether the model has a template for chats."""
        return bool(TemplateFiles.read(self.model_path).chat_template)

    def spelled(self, tokens: Sequence[int]) -> str | None:
        """What tokens say where they go on from other text; None if only the worker can tell."""
        found = self._tokenizer()
        letter = self.ids(LETTER, continuing=True)
        if found is None or letter is None:
            return None
        known = found[0].get_vocab_size()
        if not all(0 <= id_ < known for id_ in tokens):
            return ""
        return spell(lambda ids: str(found[0].decode(ids)), letter, tokens).text

    def _tokenizer(self) -> tuple[Tokenizer, Tokenizer] | None:
        file = self.model_path / "tokenizer.json"
        return _tokenizers(str(file), file.stat().st_mtime_ns) if file.is_file() else None


def default_index(settings: Settings, hidden: Collection[str] = ()) -> str:
    """The index that is asked where none is named: the settings', or, where nobody set one and there is none of that name
    for whoever asks, the first that can be read."""
    if "default_index" in settings.model_fields_set:
        return settings.default_index
    names = [name for name, _ in manifests(settings, hidden)]
    return settings.default_index if settings.default_index in names or not names else names[0]


def askables(settings: Settings, hidden: Collection[str] = ()) -> list[Askable]:
    """Every index that can be asked, the default one first, then by name; broken ones are left out, and those of corpora
    that are `hidden` from whoever asks."""
    first = default_index(settings, hidden)
    names = [file.parent.name for file in _files(settings)]
    found = []
    for name in sorted(names, key=lambda name: (name != first, name)):
        try:
            found.append(_askable(settings, name, hidden))
        except UserError:
            continue  # `choose` names what is wrong when this one is asked for
    return found


def marks_of(settings: Settings, index: str | None) -> str | Marks:
    """What stands around texts for an index of this name; empty, as the model itself has it, where there is none here."""
    try:
        return IndexManifest.read(settings.indexes / index).marks if index else ""
    except UserError:
        return ""


def manifests(settings: Settings, hidden: Collection[str] = ()) -> list[tuple[str, IndexManifest]]:
    """Name and manifest of every index that is here and can be read, by name."""
    found = []
    for file in _files(settings):
        try:
            found.append((file.parent.name, _manifest(str(file), file.stat().st_mtime_ns)[0]))
        except (UserError, OSError):
            continue
    return [(name, manifest) for name, manifest in found if manifest.corpus.name not in hidden]


def choose(settings: Settings, *, model: str = "", index: str = "", hidden: Collection[str] = ()) -> Askable:
    """The index and model that a question is put to; an empty name leaves the choice to the site. Indexes of `hidden`
    corpora are not there.

    Raises:
        UserError: there is no such index or model, one is damaged, or the index was built for another model.
    """
    if not index and model and model != settings.default_model:
        index = next((each.index for each in askables(settings, hidden) if each.model == model), "")
        if not index:
            _model(settings, model, "model")
            raise UserError(
                f"No index was built for the model “{model}”.",
                remedy=f"Build one with `startrail index {model} CORPUS`.",
                field="model",
            )
    found = _askable(settings, index or default_index(settings, hidden), hidden)
    if model and model != found.model:
        _model(settings, model, "model")
        raise UserError(
            f"The index “{found.index}” was built for the model “{found.model}”, not for “{model}”.",
            remedy=f"Choose the model “{found.model}”, or an index of “{model}”.",
            field="index",
        )
    return found


def _askable(settings: Settings, name: str, hidden: Collection[str] = ()) -> Askable:
    file = settings.indexes / name / "manifest.json"
    here = plain(name) and file.is_file()
    if not here or (hidden and IndexManifest.read(file.parent).corpus.name in hidden):
        known = ", ".join(index for index, _ in manifests(settings, hidden))
        raise UserError(
            f"There is no index “{name}”.",
            remedy=f"There are: {known}." if known else "Build one with `startrail index MODEL CORPUS`.",
            field="index",
        )
    manifest, sha256 = _manifest(str(file), file.stat().st_mtime_ns)
    sha256 = _with_factors(manifest_of(file.parent), sha256)
    path, configuration = _model(settings, manifest.model.name, "index")
    tokenizer, marks = _json_beside(path, "tokenizer_config.json"), manifest.marks
    return Askable(
        index=name,
        index_sha256=sha256,
        model=manifest.model.name,
        model_sha256=manifest.model.sha256,
        corpus=manifest.corpus.name,
        passages=manifest.passages,
        model_path=path,
        context=longest_input(configuration, tokenizer.get("model_max_length")),
        start=len(marks.start) if isinstance(marks, Marks) else int(tokenizer.get("bos_token") is not None),
    )


def _model(settings: Settings, name: str, field: str) -> tuple[Path, dict[str, Any]]:
    """Directory and configuration of a model."""
    path = settings.models / name
    file = path / "config.json"
    if not plain(name) or not file.is_file():
        known = sorted(file.parent.name for file in settings.models.glob("*/config.json"))
        raise UserError(
            f"There is no model “{name}”.",
            remedy=f"There are: {', '.join(known)}." if known else "Put a checkpoint in HOME/models.",
            field=field,
        )
    return path, _json(str(file), file.stat().st_mtime_ns)


def _files(settings: Settings) -> list[Path]:
    """The manifests of all indexes, by name."""
    return sorted(settings.indexes.glob("*/manifest.json"))


def plain(name: str) -> bool:
    """A name that stays in its directory."""
    return name not in {"", ".", ".."} and not set(name) & set("/\\\0")


@lru_cache(64)
def _manifest(file: str, _changed: int) -> tuple[IndexManifest, str]:
    return IndexManifest.read(Path(file).parent), hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _with_factors(file: Path, sha256: str) -> str:
    """An answer depends on what decides the order, too: equal questions before and after a fit are two."""
    if not file.is_file():
        return sha256
    return hashlib.sha256(f"{sha256} {_digest(str(file), file.stat().st_mtime_ns)}".encode()).hexdigest()


@lru_cache(64)
def _digest(file: str, _changed: int) -> str:
    return file_sha256(Path(file))


@lru_cache(64)
def _json(file: str, _changed: int) -> dict[str, Any]:
    try:
        return dict(json.loads(Path(file).read_bytes()))
    except (ValueError, TypeError):
        return {}


def _json_beside(path: Path, name: str) -> dict[str, Any]:
    file = path / name
    return _json(str(file), file.stat().st_mtime_ns) if file.is_file() else {}


@lru_cache(4)
def _tokenizers(file: str, _changed: int) -> tuple[Tokenizer, Tokenizer]:
    """How a text's beginning is read, and how what goes on from it."""
    found = Tokenizer.from_file(file)
    return whole(found), continuing(found)
