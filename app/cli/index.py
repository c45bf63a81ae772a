"""`startrail index`: from a model and a corpus to an index that can be searched."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.reading import ChunkTokens, Dedup, IdField, Limit, Split, TextField, Unit, stem, tell_left_out
from app.errors import UserError
from app.settings import Settings, get_settings
from app.words.methods import TRACKSTAR, encodings

if TYPE_CHECKING:
    from app.interchange.fields import Fields
    from app.interchange.records import Reading
    from app.interchange.sift import Sift
    from app.models.text import Query
    from app.store.engine import Store


def register(app: typer.Typer) -> None:
    """Add `index`."""
    app.command(name="index", help=index.__doc__)(index)


def index(
    model: Annotated[str, typer.Argument(help="A model's name in HOME/models, or a checkpoint directory.")],
    corpus: Annotated[
        str,
        typer.Argument(help="A corpus's name in the store, or files as `startrail corpus add` takes them."),
    ],
    name: Annotated[str, typer.Option(help="The index's name; default MODEL-CORPUS.")] = "",
    corpus_name: Annotated[str, typer.Option(help="Name for a corpus read from a file.")] = "",
    id_field: IdField = "",
    text_field: TextField = "",
    split: Split = "",
    passages: Unit = "",
    limit: Limit = None,
    dedup: Dedup = "",
    chunk_tokens: ChunkTokens = None,
    method: Annotated[
        str,
        typer.Option(help=f"One of {', '.join(encodings())}; {TRACKSTAR} needs --task-prompts."),
    ] = "+V+R_train",
    task_prompts: Annotated[str, typer.Option(help="Prompt set whose queries give R_eval.")] = "",
    mixing: Annotated[
        float | None, typer.Option(help="λ of R_eval; default: chosen by the eigenvalues.")
    ] = None,
    groups: Annotated[
        int | None, typer.Option(help="Groups of layers; d = groups · 2 · p². [default: 2]")
    ] = None,
    projection_dim: Annotated[
        int | None, typer.Option(help="p. The paper's 8B model: 64. [default: 32]")
    ] = None,
    damping: Annotated[
        float | None, typer.Option(help="Share of the mean eigenvalue. [default: 0.001]")
    ] = None,
    exact_moments: Annotated[bool, typer.Option(help="Divide by every entry of AdamW's V (slower).")] = False,
    moments: Annotated[
        str, typer.Option(help="optimizer (where there is a state), or estimated: from the sample.")
    ] = "optimizer",
    sample: Annotated[
        int | None, typer.Option(min=1, help="Passages drawn to fit R. [default: 4·p²]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the projection and the sample.")] = 0,
    weights: Annotated[
        list[str] | None, typer.Option(help="PATTERN=attention, =mlp or =skip; can be given again.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="Computation in float32 or bfloat16.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …; default STARTRAIL_DEVICE.")] = "",
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens in one pass.")] = 2048,
    shard_rows: Annotated[int, typer.Option(min=1, help="Passages per file.")] = 4096,
    search: Annotated[
        str,
        typer.Option(
            "--index", help="How rows are searched: exact, float32; int8, int4, pq are smaller and re-ranked."
        ),
    ] = "exact",
    overwrite: Annotated[bool, typer.Option(help="Replace an index of this name.")] = False,
) -> None:
    """Encode a corpus with a model: fit V and R on a sample, encode every passage, write HOME/indexes/NAME.

    A build that was stopped goes on where it was when the same command is given again.
    """
    from app.cli.index_table import report
    from app.cli.progress import bar
    from app.interchange.fields import Fields
    from app.interchange.records import Reading
    from app.interchange.sift import Sift
    from app.retrieval.search import check_kind, prepare
    from app.store.engine import open_store
    from app.trackstar.build import build_index
    from app.trackstar.config import Method

    settings = get_settings()
    changes: dict[str, Any] = {
        "groups": groups,
        "projection_dim": projection_dim,
        "damping": damping,
        "mixing": mixing,
        "seed": seed,
    }
    if exact_moments:
        changes["second_moments"] = "exact"
    chosen = Method.preset(method, **{key: value for key, value in changes.items() if value is not None})
    if chosen.hessian != "mixed" and (task_prompts or mixing is not None):
        raise UserError(
            f"The method {method} has no R_eval, so --task-prompts and --mixing would change nothing.",
            field="method",
            remedy=f"Give --method {TRACKSTAR}, or leave them out.",
        )
    check_kind(search, chosen.dimension)
    if moments not in ("optimizer", "estimated"):
        raise UserError(f"{moments!r} is not known.", field="moments", remedy="Use optimizer or estimated.")
    path, place = find_model(settings, model)
    if name:
        _place(settings, name)  # refused before the corpus is read
    store = open_store(settings.url, migrate=True)
    read_as, named = Reading(split=split, passages=passages), Fields(id_field, text_field)
    sift = Sift(limit, dedup=dedup, chunk_tokens=chunk_tokens, tokenizer=path / "tokenizer.json")
    rows = _corpus(store, corpus, corpus_name, named, read_as, sift)
    own = place.name if place.name == rows.name else f"{place.name}-{rows.name}"
    out = _place(settings, name or own)
    started = time.monotonic()
    with bar("Encoding passages") as step:
        manifest = build_index(
            path,
            rows,
            out,
            method=chosen,
            corpus_name=rows.name,
            model_name=place.name,
            batch_tokens=batch_tokens,
            shard_rows=shard_rows,
            sample=sample,
            seed=seed,
            queries=_queries(store, task_prompts),
            device=device or settings.device,
            dtype=dtype,
            override=parse_weights(weights or []),
            estimate=moments == "estimated",
            overwrite=overwrite,
            prepare_search=lambda directory: prepare(directory, search),
            progress=step,
        )
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # a link whose model is gone
        place.symlink_to(path)
    _register(store, place, manifest.model.sha256)
    report(out, manifest, time.monotonic() - started)


@dataclass(frozen=True)
class _Stored:
    """The passages of a corpus in the store, as often as they are asked for."""

    store: "Store"
    name: str
    id: int

    def __iter__(self) -> Iterator[tuple[str, str]]:
        from app.store.corpora import stream_passages

        with self.store.session() as session:
            for _, external_id, text in stream_passages(session, self.id):
                yield external_id, text


def _place(settings: Settings, name: str) -> Path:
    """Where the index of this name stands.

    Raises:
        UserError: the name would lead elsewhere, where nothing that asks for it looks.
    """
    from app.tracing.catalog import plain

    if not plain(name):
        raise UserError(
            f"{name!r} cannot be an index's name.", field="name", remedy="Give a --name without slashes."
        )
    return settings.indexes / name


def find_model(settings: Settings, model: str) -> tuple[Path, Path]:
    """The model's directory, and its place in HOME/models: one from elsewhere is linked there, so that tracing finds it.

    Raises:
        UserError: no model has this name, it lacks files, or another model has its name already.
    """
    from app.models.load import check_files

    known = settings.models / model
    if Path(model).name == model and known.is_dir():
        check_files(known)
        return known, known
    given = Path(model).resolve()
    if not (given / "config.json").is_file():
        names = ", ".join(sorted(path.name for path in settings.models.glob("*/"))) or "none"
        raise UserError(
            f"There is no model {model!r}, neither in {settings.models} nor as a checkpoint directory.",
            field="model",
            remedy=f"Give one of {names}, or a directory with config.json, weights and tokenizer.",
        )
    place = settings.models / given.name
    if place.exists() and place.resolve() != given:
        raise UserError(
            f"Another model is called {given.name}.",
            field="model",
            remedy=f"Rename {given}, or link it in {settings.models}.",
        )
    check_files(given)
    return given, place


def parse_weights(given: list[str]) -> dict[str, str]:
    """`PATTERN=KIND` options as a mapping.

    Raises:
        UserError: one has no `=`.
    """
    pairs = [entry.rpartition("=") for entry in given]
    for entry, (pattern, _, _) in zip(given, pairs, strict=True):
        if not pattern:
            raise UserError(
                f"{entry!r} is not PATTERN=KIND.", field="weights", remedy="For example 'fc=mlp'."
            )
    return {pattern: kind for pattern, _, kind in pairs}


def _corpus(
    store: "Store", corpus: str, name: str, fields: "Fields", reading: "Reading", sift: "Sift"
) -> _Stored:
    """The corpus of this name; files are added to the store first, so that pages can show their passages."""
    from app.cli.progress import bar, kilobytes
    from app.digests import CorpusDigest
    from app.interchange.plain import read_passages
    from app.interchange.records.sources import names_files
    from app.store.corpora import add_corpus, get_corpus, list_corpora

    with store.session() as session:
        known = {row.name: row for row in list_corpora(session)}
        if corpus in known or not names_files(corpus):
            return _Stored(store, corpus, get_corpus(session, corpus).id)
    name = name or stem([corpus])
    if name in known:
        digest = CorpusDigest()
        for passage in sift(read_passages(corpus, fields=fields, reading=reading)):
            digest.add(passage.external_id, passage.text)
        if digest.hexdigest() != known[name].sha256:
            raise UserError(
                f"The store has another corpus called {name!r}.",
                field="corpus",
                remedy="Choose a --corpus-name.",
            )
        return _Stored(store, name, known[name].id)
    with bar(f"Adding corpus {name}, KB") as step, store.session() as session:
        records = sift(read_passages(corpus, kilobytes(step), fields=fields, reading=reading))
        stored = _Stored(store, name, add_corpus(session, name, records).id)
    tell_left_out([(id_, f"as {first}") for id_, first in sift.left_out], None)
    return stored


def _queries(store: "Store", prompt_set: str) -> list["Query"]:
    from app.models.text import Query
    from app.store.prompts import get_prompt_set, list_prompts

    if not prompt_set:
        return []
    with store.session() as session:
        prompts = list_prompts(session, get_prompt_set(session, prompt_set).id)
        return [Query.of_target(prompt.text, prompt.target) for prompt in prompts if prompt.target.strip()]


def _register(store: "Store", path: Path, sha256: str) -> None:
    from app.models.load import count_parameters
    from app.store.models import register_model

    with store.session() as session:
        register_model(session, path.name, path=str(path), sha256=sha256, parameters=count_parameters(path))
