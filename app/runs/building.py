"""From a model and a corpus to an index: what `startrail index` does, for notebooks too.

Knows names (of models and corpora in a home) where `app.trackstar.build` knows directories and passages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path
from typing import Any

from app.cluster.hiring import with_model
from app.cluster.joining import ray_package
from app.curvature.factors import Factors
from app.curvature.place import FACTORS
from app.errors import UserError
from app.models.adapter_ways import OWN
from app.models.load import compute_type, load_model
from app.models.text import Query
from app.retrieval.kinds import kind_of
from app.retrieval.lists import QUESTIONS, questions_in
from app.retrieval.search import prepare
from app.runs.building_corpus import StoredCorpus
from app.runs.ranking.ekfac import check_factors, fitted
from app.runs.registering import register
from app.runs.taking import ModelPlace
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.engine import Store
from app.store.prompts import get_prompt_set, list_prompts
from app.tracing.catalog import plain
from app.trackstar.append import append_to_index
from app.trackstar.build import build_index
from app.trackstar.config import EncodingConfig
from app.trackstar.index import open_index
from app.trackstar.manifest import IndexManifest
from app.trackstar.sampling import shortfall, too_few
from app.words.methods import EKFAC, TRACKSTAR

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Build:
    """How an index is built; the names are those of `startrail index`'s options.

    Args:
        method: what an encoding is made of; the preset without a task's prompts.
        task_prompts: prompt set whose queries give R_eval, for a method with a mixed Hessian.
        sample: passages drawn to fit R; None for four times a block's numbers.
        search: how rows are searched, one of `KINDS`.
        weights: pattern -> attention, mlp or skip, where the structure does not tell.
        estimated: estimate V from the sample, though the model has an optimizer's state.
        device, dtype: empty: the settings'.
        marks: what stands around texts, see `app.models.marks`; empty: the model's own.
        adapter: whose gradients are taken of a model with an adapter, see `app.models.adapter_ways`.
        rerank: `ekfac`: its factors are fitted too, for the method that orders candidates by them.
        rerank_labels, rerank_damping: of these factors, as `app.runs.ranking.ekfac.fitted`.
        cluster: who encodes, an address for `app.cluster.joining.Cluster`; empty: this process.
        append: an index to go on with, whose corpus this one begins with; what an encoding is made of is then that index's.
    """

    method: EncodingConfig
    task_prompts: str = ""
    sample: int | None = None
    seed: int = 0
    search: str = "exact"
    weights: Mapping[str, str] | None = None
    estimated: bool = False
    device: str = ""
    dtype: str = ""
    marks: str = ""
    adapter: str = OWN
    rerank: str = ""
    rerank_labels: str = ""
    rerank_damping: str = ""
    cluster: str = ""
    batch_tokens: int = 2048
    shard_rows: int = 4096
    overwrite: bool = False
    append: str = ""

    def check(self) -> None:
        """Refuse what does not fit together, before anything is read.

        Raises:
            UserError: a task's prompts without R_eval, rows that cannot be searched so, nothing that could order again, or a
                cluster without Ray.
        """
        if self.rerank not in ("", EKFAC):
            raise UserError(f"{self.rerank!r} is not known.", field="rerank", remedy=f"Use {EKFAC}.")
        check_factors(self.rerank_labels, self.rerank_damping, fitted=bool(self.rerank))
        if self.method.hessian != "mixed" and (self.task_prompts or self.method.mixing is not None):
            raise UserError(
                "This method has no R_eval, so prompts of a task and λ would change nothing.",
                field="method",
                remedy=f"Choose the method {TRACKSTAR}, or leave them out.",
            )
        if kind_of(self.search).in_lists:
            raise UserError(
                f"“{self.search}” is measured with questions about rows that are there.",
                field="index",
                remedy=f"Build first, then: startrail reindex NAME --index {self.search} --prompts SET.",
            )
        if self.cluster:
            ray_package()
        free: dict[str, Any] = {
            "append": "",
            "search": "exact",
            "device": "",
            "cluster": "",
            "overwrite": False,
        }
        if self.append and replace(self, **free) != Build(EncodingConfig()):
            raise UserError(
                "Passages are appended as those before them were encoded: nothing of the method can be chosen.",
                field="append",
                remedy="Beside --append give only --name, --index, --device, --cluster and --overwrite.",
            )


def build(
    settings: Settings,
    store: Store,
    model: ModelPlace,
    corpus: StoredCorpus,
    out: Path,
    how: Build,
    progress: Progress | None = None,
    bar: Bar = unseen,
) -> IndexManifest:
    """Encode a corpus with a model into the index directory `out`, and put the model where tracing finds it.

    A build that was stopped goes on where it was when the same is asked again.

    Args:
        progress: told of encoding. bar: shows the fit of EK-FAC's factors.

    Raises:
        UserError: as `Build.check` and `app.trackstar.build.build_index`.
    """
    how.check()
    if how.append:
        manifest = _append(settings, model, corpus, out, how, progress)
        _keep(store, model, manifest.model.sha256)
        return manifest
    with with_model(how.cluster, how.device or settings.device, how.adapter, how.weights) as hands:
        manifest = build_index(
            model.directory,
            corpus,
            out,
            method=how.method,
            corpus_name=corpus.name,
            model_name=model.place.name,
            batch_tokens=how.batch_tokens,
            shard_rows=how.shard_rows,
            sample=how.sample,
            seed=how.seed,
            queries=task_queries(store, how.task_prompts),
            device="cpu" if how.cluster else how.device or settings.device,
            dtype=how.dtype or settings.dtype,
            marks=how.marks,
            adapter=how.adapter,
            override=dict(how.weights or {}),
            estimate=how.estimated,
            overwrite=how.overwrite,
            prepare_search=lambda directory: prepare(directory, how.search),
            progress=progress,
            hands=hands,
        )
    _keep(store, model, manifest.model.sha256)
    if how.rerank:
        fit_beside(settings, corpus, out, how, bar)
    return manifest


def _append(
    settings: Settings,
    model: ModelPlace,
    corpus: StoredCorpus,
    out: Path,
    how: Build,
    progress: Progress | None,
) -> IndexManifest:
    index = open_index(index_place(settings, how.append))
    stood = str(index.manifest.search.get("kind", how.search))
    kind = stood if how.search == "exact" else how.search
    asked = index.path / kind / QUESTIONS  # encoded as they would be now: V and R are taken over
    questions = (lambda _: questions_in(asked.parent)) if asked.is_file() else None
    device = how.device or settings.device
    adapter = index.manifest.opening["adapter"]
    with with_model(how.cluster, device, adapter, index.manifest.weights) as hands:
        return append_to_index(
            index,
            model.directory,
            corpus,
            out,
            corpus_name=corpus.name,
            device="cpu" if how.cluster else device,
            overwrite=how.overwrite,
            kept=[FACTORS],
            prepare_search=lambda directory: prepare(directory, kind, questions),
            progress=progress,
            hands=hands,
        )


def fit_beside(
    settings: Settings, corpus: StoredCorpus, index: Path, how: Build, bar: Bar = unseen
) -> dict[str, Factors]:
    """EK-FAC's factors of the index's model, in the index's directory; those that are there are read.

    Raises:
        UserError: they are another model's, or damaged.
    """
    manifest = open_index(index).manifest
    device = how.device or settings.device
    loaded = load_model(
        settings.models / manifest.model.name,
        device="cpu" if how.cluster else device,
        dtype=compute_type(how.dtype or settings.dtype),
        **manifest.opening,
    )
    passages = loaded.texts.passages([lesson for _, lesson in corpus])
    with (
        with_model(how.cluster, device, manifest.opening["adapter"], manifest.weights) as hands,
        bar("Fitting EK-FAC") as step,
    ):
        return fitted(
            loaded,
            passages,
            index,
            labels=how.rerank_labels,
            damping=how.rerank_damping,
            progress=step,
            hands=hands(loaded),
        )


def method_for(method: EncodingConfig, passages: int, *, insists: bool = False) -> EncodingConfig:
    """The method with blocks that R can be fitted to (`app.trackstar.sampling`): p is made smaller, to two passages a number.

    Args:
        passages: that R is fitted on.
        insists: p was asked for; it is refused in place of changed.

    Raises:
        UserError: `insists`, and the passages are fewer than p².
    """
    if method.hessian == "none" or not too_few(passages, method.block_size):
        return method
    smaller = max(1, isqrt(passages // 2))
    if insists:
        raise UserError(
            f"{shortfall(method, passages)}.",
            field="projection_dim",
            remedy=f"Give --projection-dim {smaller} or less, more passages (--sample), or --method +V, which has no R.",
        )
    return replace(method, projection_dim=smaller)


def index_place(settings: Settings, name: str) -> Path:
    """Where the index of this name stands.

    Raises:
        UserError: the name would lead elsewhere, where nothing that asks for it looks.
    """
    if not plain(name):
        raise UserError(
            f"{name!r} cannot be an index's name.", field="name", remedy="Give a name without slashes."
        )
    return settings.indexes / name


def usual_name(model: ModelPlace, corpus: StoredCorpus) -> str:
    """The name of an index that was given none: MODEL-CORPUS, or one of them where they are equal."""
    own = model.place.name
    return own if own == corpus.name else f"{own}-{corpus.name}"


def task_queries(store: Store, prompt_set: str) -> list[Query]:
    """The prompts of a set that have a target, as queries; none where no set is named."""
    if not prompt_set:
        return []
    with store.session() as session:
        prompts = list_prompts(session, get_prompt_set(session, prompt_set).id)
        return [Query.of_target(prompt.text, prompt.target) for prompt in prompts if prompt.target.strip()]


def _keep(store: Store, model: ModelPlace, sha256: str) -> None:
    place = model.place
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # a link whose model is gone
        place.symlink_to(model.directory)
    with store.session() as session:
        register(session, place.name, place, sha256)
