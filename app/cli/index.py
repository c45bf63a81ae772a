"""`startrail index`: from a model and a corpus to an index that can be searched."""

import time
from dataclasses import replace
from typing import Annotated, Any

import typer

from app.cli import index_care
from app.cli.computing import MODEL, ComputeType, InCluster
from app.cli.reading import (
    ChunkTokens,
    Dedup,
    Form,
    FormatName,
    IdField,
    Limit,
    PromptField,
    Split,
    SplitAt,
    TargetField,
    TextField,
    Unit,
    tell_left_out,
    tell_nulls,
)
from app.errors import UserError
from app.models.adapter_ways import OWN, SAID
from app.models.marks import CONVENTIONS
from app.retrieval.kinds import OFFERED
from app.settings import get_settings
from app.words.methods import EKFAC, TRACKSTAR, TWO_STAGES, encodings


def register(app: typer.Typer) -> None:
    """Add `index`."""
    app.command(name="index", help=index.__doc__)(index)


def index(
    model: Annotated[str, typer.Argument(help=MODEL)],
    corpus: Annotated[
        str,
        typer.Argument(help="A corpus's name in the store, or files as `startrail corpus add` takes them."),
    ],
    name: Annotated[str, typer.Option(help="The index's name; default MODEL-CORPUS.")] = "",
    corpus_name: Annotated[str, typer.Option(help="Name for a corpus read from a file.")] = "",
    id_field: IdField = "",
    text_field: TextField = "",
    prompt_field: PromptField = "",
    target_field: TargetField = "",
    form: Form = "",
    split: Split = "",
    format: FormatName = "",
    passages: Unit = "",
    limit: Limit = None,
    dedup: Dedup = "",
    chunk_tokens: ChunkTokens = None,
    split_at: SplitAt = "",
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
        float | None, typer.Option(help="Added to R: share of its mean eigenvalue. [default: 1]")
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
    dtype: ComputeType = "",
    marks: Annotated[
        str,
        typer.Option(
            help=f"What stands around texts: {', '.join(CONVENTIONS)} (its start and end token, the first, none); default:"
            " what the tokenizer puts there by itself."
        ),
    ] = "",
    adapter: Annotated[
        str, typer.Option(help=f"Whose gradients are taken of a model with a LoRA adapter: {SAID}.")
    ] = OWN,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …; default STARTRAIL_DEVICE.")] = "",
    cluster: InCluster = "",
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens in one pass.")] = 2048,
    shard_rows: Annotated[int, typer.Option(min=1, help="Passages per file.")] = 4096,
    search: Annotated[
        str,
        typer.Option("--index", help=f"How rows are searched: {OFFERED}."),
    ] = "exact",
    rerank: Annotated[
        str,
        typer.Option(
            help=f"{EKFAC}: fit its factors too, by which {TWO_STAGES} orders what {TRACKSTAR} finds."
        ),
    ] = "",
    rerank_labels: Annotated[
        str,
        typer.Option(
            help="What its factors are of: model, tokens drawn from what the model predicts (the default), or text, those that"
            " stand there (the empirical Fisher matrix)."
        ),
    ] = "",
    rerank_damping: Annotated[
        str,
        typer.Option(
            help="Added to each weight's curvature, as a share of its mean: a number, or search, which takes the one under which"
            " the gradients of other passages are likeliest (one more pass over as many). [default: 0.1]"
        ),
    ] = "",
    overwrite: Annotated[bool, typer.Option(help="Replace an index of this name.")] = False,
    append: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Go on with this index: CORPUS begins with its passages (`startrail corpus add … --after`), and only those"
            " that came are encoded, by its V and R.",
        ),
    ] = "",
    verify: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Compare the files of this index with their checksums, and end.",
            is_eager=True,
            callback=index_care.verify,
        ),
    ] = "",
) -> None:
    """Encode a corpus with a model: fit V and R on a sample, encode every passage, write HOME/indexes/NAME.

    A build that was stopped goes on where it was when the same command is given again.
    """
    from app.cli.index_table import report
    from app.cli.opening import open_store
    from app.cli.progress import bar, console
    from app.interchange.adding import name_of
    from app.interchange.fields import Fields
    from app.interchange.records import Reading
    from app.interchange.sift import Sift
    from app.runs import building
    from app.runs.building_corpus import corpus_or_files
    from app.runs.taking import find_model
    from app.trackstar.config import EncodingConfig

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
    chosen = EncodingConfig.preset(
        method, **{key: value for key, value in changes.items() if value is not None}
    )
    if moments not in ("optimizer", "estimated"):
        raise UserError(f"{moments!r} is not known.", field="moments", remedy="Use optimizer or estimated.")
    how = building.Build(
        chosen,
        task_prompts=task_prompts,
        sample=sample,
        seed=seed,
        search=search,
        weights=parse_weights(weights or []) or None,
        estimated=moments == "estimated",
        device=device,
        dtype=dtype,
        marks=marks,
        adapter=adapter,
        rerank=rerank,
        rerank_labels=rerank_labels,
        rerank_damping=rerank_damping,
        batch_tokens=batch_tokens,
        shard_rows=shard_rows,
        overwrite=overwrite,
        cluster=cluster,
        append=append,
    )
    how.check()
    place = find_model(settings, model)
    if name:
        building.index_place(settings, name)  # refused before the corpus is read
    store = open_store(settings.url, migrate=True)
    read_as, named = (
        Reading(format=format, split=split, passages=passages),
        Fields(id_field, text_field, form, prompt_field, target_field),
    )
    tokenizer = place.directory / "tokenizer.json"
    sift = Sift(limit, dedup=dedup, chunk_tokens=chunk_tokens, tokenizer=tokenizer, split_at=split_at)
    rows = corpus_or_files(store, corpus, corpus_name or name_of([corpus]), named, read_as, sift, bar)
    tell_left_out([(id_, f"as {first}") for id_, first in sift.left_out], None)
    tell_nulls(read_as.nulls)
    out = building.index_place(settings, name or building.usual_name(place, rows))
    sampled = min(len(rows), sample or len(rows))
    fits = chosen if append else building.method_for(chosen, sampled, insists=projection_dim is not None)
    if fits != chosen:
        console.print(
            f"p is {fits.projection_dim} in place of {chosen.projection_dim}: R is fitted on {len(rows):,} passages."
        )
    started = time.monotonic()
    with bar("Encoding passages") as step:
        manifest = building.build(settings, store, place, rows, out, replace(how, method=fits), step, bar)
    report(out, manifest, time.monotonic() - started)


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
