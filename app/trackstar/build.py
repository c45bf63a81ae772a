"""Builds an index: survey the corpus, fit V and R on a random sample, encode shard by shard, seal.

Everything happens in `.NAME.building` beside the index's place and is renamed at the end. A build that was
killed goes on at its first missing shard: batches never cross a shard's border, so the bytes are those of an
undisturbed run.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.digests import file_sha256
from app.errors import UserError
from app.models.adapter_ways import OWN
from app.models.chats import template_sha256
from app.models.hands import Hands, own_hands
from app.models.load import LoadedModel, compute_type, load_model
from app.models.text import Query
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import BATCH_TOKENS, PassageRows
from app.trackstar.encode_shards import Counter, encode_shards
from app.trackstar.fit import FILE as FIT
from app.trackstar.fit import Fit
from app.trackstar.fitting import fit_or_go_on, passes
from app.trackstar.manifest import ContentIdentity, IndexManifest
from app.trackstar.placing import PrepareSearch, building_place, finish, start_or_resume
from app.trackstar.sampling import sample_size
from app.trackstar.shards import WrittenShard
from app.trackstar.survey import IDS, Passages, survey
from app.words.roles import TEXTS, Lesson

SHARD_ROWS = 4096
PLAN = "build.json"


def build_index(
    model_dir: Path,
    passages: Passages,
    out: Path,
    *,
    method: EncodingConfig | None = None,
    corpus_name: str = "corpus",
    model_name: str | None = None,
    batch_tokens: int = BATCH_TOKENS,
    shard_rows: int = SHARD_ROWS,
    sample: int | None = None,
    seed: int = 0,
    queries: Sequence[Query] = (),
    device: str = "cpu",
    dtype: str = "float32",
    override: Mapping[str, str] | None = None,
    estimate: bool = False,
    marks: str = "",
    adapter: str = OWN,
    overwrite: bool = False,
    prepare_search: PrepareSearch | None = None,
    progress: Callable[[int, int], None] | None = None,
    hands: Callable[[LoadedModel], Hands[LoadedModel]] = own_hands,
) -> IndexManifest:
    """Encodes a corpus of any size in bounded memory and writes the index directory `out`.

    Args:
        passages: (id, text, or text with roles) in row order; read twice, or spooled to disk if it can be read only once.
        batch_tokens: tokens of one forward and backward pass, padding included.
        shard_rows: passages per file, and the unit of resuming.
        sample: passages drawn at random to fit R (and V, where estimated); default 4·p², at least 1,024.
        seed: of that draw.
        queries: of the task, for R_eval where the method's Hessian is `mixed`.
        dtype: of the computation: float32, bfloat16 or float64. R and V are float32 or more always.
        override: which weights are attention and which MLP; see `find_weights`.
        estimate: estimate V from the sample even if there is an optimizer's state.
        marks: what stands around texts, see `app.models.marks`; empty: the model's own.
        adapter: of a model with an adapter, whose gradients are taken: see `app.models.adapter_ways`.
        overwrite: replace an index that is already there.
        prepare_search: called with the finished directory before it gets its name; may write a file there, and
            returns what the manifest says of it.
        progress: called with passages done and in all; fitting counts the sample's passages too, V and R each.
        hands: who computes, given the model as this process opened it.

    Raises:
        UserError: the model, corpus or settings cannot be used, or `out` exists. Nothing is left under its name.
    """
    method = method or EncodingConfig()
    out = Path(out)
    if method.hessian == "mixed" and not queries:
        raise UserError(
            "A mixed Hessian needs queries of the task.",
            field="hessian",
            remedy="Name a prompt set with --task-prompts, or use the train Hessian.",
        )
    loaded = load_model(
        model_dir, device=device, dtype=compute_type(dtype), override=override, marks=marks, adapter=adapter
    )
    who = hands(loaded)
    with building_place(out, overwrite=overwrite) as work:
        corpus = survey(passages, work, sample_size(method, sample), seed)
        plan = {
            "batch_tokens": batch_tokens,
            "shard_rows": shard_rows,
            "sample": len(corpus.sample),
            "seed": seed,
            "device": who.device,
            "dtype": dtype,
            "queries": _queries_sha256(queries),
            "marks": loaded.marks.as_dict(),
            **({"adapter": adapter} if loaded.adapted else {}),
            **({"left_out": loaded.left_out} if loaded.left_out else {}),
            **roles(loaded, corpus.forms, corpus.sample),
        }
        whole = {
            **plan,
            "model": loaded.sha256,
            "corpus": corpus.sha256,
            "method": method.as_dict(),
            "weights": dict(override or {}),
            "estimate": estimate,
        }
        start_or_resume(work, whole)
        fitting = passes(loaded, method, corpus.sample, queries, estimate)
        counter = Counter(progress, corpus.count + fitting)
        fitted = fit_or_go_on(
            loaded,
            method,
            corpus.sample,
            queries,
            work,
            hands=who,
            batch_tokens=batch_tokens,
            estimate=estimate,
            done=counter.add,
        )
        counter.done = fitting
        encoding = PassageRows(fitted.moments, method, fitted.whitening, batch_tokens)
        shards = encode_shards(
            who, encoding, loaded.texts, corpus, work, shard_rows, fitted.row_scale, counter
        )
        manifest = IndexManifest(
            model=ContentIdentity(model_name or Path(model_dir).resolve().name, loaded.sha256),
            corpus=ContentIdentity(corpus_name, corpus.sha256),
            method=method,
            dimension=method.dimension,
            second_moments=_about_moments(fitted),
            hessian=fitted.whitening.report.as_dict() if fitted.whitening else None,
            row_scale=fitted.row_scale,
            counts=total(shards, corpus.count),
            zero_rows=[row for written in shards for row in written.zero_rows],
            shards=[written.shard for written in shards],
            files={name: file_sha256(work / name) for name in (FIT, IDS)},
            build=plan,
            weights=dict(override or {}),
        )
        return finish(work, out, manifest, prepare_search)


def roles(loaded: LoadedModel, forms: Mapping[str, int], sample: Sequence[Lesson]) -> dict[str, Any]:
    """How many passages of a corpus are of which form, and what wrote its chats; nothing where all are plain texts."""
    if set(forms) == {TEXTS}:
        return {}
    chats = any(not isinstance(each, str) and each.is_chat for each in sample)
    return {
        "forms": dict(forms),
        **({"chat_template": template_sha256(loaded.tokenizer)} if chats else {}),
    }


def _about_moments(fitted: Fit) -> dict[str, Any] | None:
    return {"source": fitted.moments.source, "sha256": fitted.moments.sha256} if fitted.moments else None


def total(shards: Sequence[WrittenShard], passages: int) -> dict[str, int]:
    """`IndexManifest.counts` of these shards."""
    names = ("empty", "cut", "degenerate", "saturated")
    return {"passages": passages} | {name: sum(w.counts[name] for w in shards) for name in names}


def _queries_sha256(queries: Sequence[Query]) -> str:
    return hashlib.sha256(
        json.dumps([[q.prompt, q.completion, q.span] for q in queries]).encode()
    ).hexdigest()
