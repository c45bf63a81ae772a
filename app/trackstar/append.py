"""Goes on with an index whose corpus grew: what came is encoded by the V and R of what stood there before.

Rows that stand are taken over as they are (as links where the disk allows it). Whether R still fits is measured: R^(-1/2)
stretches a gradient most where R saw least, so passages of another kind are stretched more than those it was fitted to.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from app.digests import file_sha256
from app.models.hands import Hands, own_hands
from app.models.load import LoadedModel, compute_type, load_model
from app.trackstar.build import roles, total
from app.trackstar.encode import Encoder, PassageRows, ProjectedRows
from app.trackstar.encode_shards import Counter, encode_shards
from app.trackstar.fit import FILE as FIT
from app.trackstar.fit import without_hessian
from app.trackstar.hessian import Whitening
from app.trackstar.index import TrackstarIndex
from app.trackstar.manifest import ContentIdentity, IndexManifest
from app.trackstar.placing import PrepareSearch, building_place, finish, start_or_resume
from app.trackstar.survey import IDS, Begun, Passages, Survey, survey
from app.words.roles import TEXTS

DRAWN = 512
"""Passages, of those that stood and of those that came, by which it is told whether R still fits."""


def append_to_index(
    index: TrackstarIndex,
    model_dir: Path,
    passages: Passages,
    out: Path,
    *,
    corpus_name: str,
    device: str = "cpu",
    overwrite: bool = False,
    kept: Sequence[str] = (),
    prepare_search: PrepareSearch | None = None,
    progress: Callable[[int, int], None] | None = None,
    hands: Callable[[LoadedModel], Hands[LoadedModel]] = own_hands,
) -> IndexManifest:
    """Writes the index directory `out` of a corpus that begins with the passages of `index`. A stopped one goes on.

    Everything that decides an encoding is the index's. The manifest says under `build.appended` how many passages came,
    and how much more than the old ones R^(-1/2) stretches them.

    Args:
        passages: all of the corpus, from the first.
        out: may be the index's own place, with `overwrite`.
        kept: directories of the index that are kept as they are, where it has them.
        prepare_search, progress, hands: as of `app.trackstar.build.build_index`.

    Raises:
        UserError: the model is another, a file of the index is damaged, the corpus does not begin with its passages or
            has no others.
    """
    old = index.manifest
    loaded = load_model(model_dir, device=device, dtype=compute_type(old.build["dtype"]), **old.opening)
    encoder = index.encoder(loaded)
    batch_tokens, shard_rows = old.build["batch_tokens"], old.build["shard_rows"]
    who = hands(loaded)
    with building_place(out, overwrite=overwrite) as work:
        standing = Begun(old.passages, old.corpus.sha256)
        corpus = survey(passages, work, DRAWN, old.build["seed"], standing)
        start_or_resume(work, {"appended": standing.sha256, "corpus": corpus.sha256, "model": loaded.sha256})
        _take_over(index, work, kept)
        counter = Counter(progress, corpus.count + len(corpus.before) + len(corpus.sample))
        stretched = _stretched(who, encoder, batch_tokens, corpus, counter)
        encoding = PassageRows(encoder.moments, old.method, encoder.whitening, batch_tokens)
        shards = encode_shards(
            who, encoding, loaded.texts, corpus, work, shard_rows, old.row_scale, counter, old.shards
        )
        counts = total(shards, corpus.count)
        came = {"passages": corpus.count, "before": standing.sha256, "stretched": stretched}
        manifest = replace(
            old,
            corpus=ContentIdentity(corpus_name, corpus.sha256),
            counts={name: old.counts[name] + counts[name] for name in counts},
            zero_rows=[*old.zero_rows, *(row for written in shards for row in written.zero_rows)],
            shards=[*old.shards, *(written.shard for written in shards)],
            files={FIT: old.files[FIT], IDS: file_sha256(work / IDS)},
            build=old.build | _forms(loaded, old, corpus) | {"appended": [*_appended(old), came]},
            search={},
            startrail=version("startrail"),
        )
        return finish(work, out, manifest, prepare_search)


def _appended(manifest: IndexManifest) -> list[dict[str, object]]:
    return list(manifest.build.get("appended", []))


def _forms(loaded: LoadedModel, old: IndexManifest, corpus: Survey) -> dict[str, object]:
    stood = old.build.get("forms", {TEXTS: old.passages})
    forms = {name: stood.get(name, 0) + corpus.forms.get(name, 0) for name in {**stood, **corpus.forms}}
    return roles(loaded, forms, [*corpus.before, *corpus.sample])


def _take_over(index: TrackstarIndex, work: Path, kept: Sequence[str]) -> None:
    """Rows, V, R and what else is kept, into the directory that is built.

    Raises:
        UserError: a file is damaged; it is named.
    """
    index.rows.gather()
    names = [*(shard.file for shard in index.manifest.shards), FIT]
    index.checksums.compare(names)
    for name in names:
        _link(index.path / name, work / name)
    for name in kept:
        if (index.path / name).is_dir() and not (work / name).exists():
            shutil.copytree(index.path / name, work / name, copy_function=_link)


def _link(source: str | Path, target: str | Path) -> None:
    """The same file under another name; a copy where the two are on different disks, or the disk knows no links."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _stretched(
    who: Hands, encoder: Encoder, batch_tokens: int, corpus: Survey, counter: Counter
) -> float | None:
    """How many times as much R^(-1/2) stretches gradients that came as those that stood, at the medians of both samples.

    None where the method has no R, or nothing has a gradient.
    """
    if encoder.whitening is None:
        return None
    work = ProjectedRows(encoder.moments, without_hessian(encoder.method), batch_tokens)
    texts = encoder.model.texts

    def pieces() -> Iterator[Sequence[object]]:
        for sample in (corpus.before, corpus.sample):
            yield texts.passages(sample)

    stood, came = (_stretch(rows, encoder.whitening) for rows in who.each(work, pieces(), counter.add))
    return came / stood if came and stood else None


def _stretch(rows: np.ndarray, whitening: Whitening) -> float | None:
    """Median of ‖R^(-1/2) g‖ / ‖g‖ over the projected gradients g (n, d) that are not zero; None where all are."""
    gradients = torch.from_numpy(rows)
    usable = gradients[gradients.isfinite().all(1) & gradients.any(1)]
    if not len(usable):
        return None
    norm = torch.linalg.vector_norm
    return float((norm(whitening.apply(usable), dim=1) / norm(usable, dim=1)).median())
