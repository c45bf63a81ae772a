"""One command's worth of a run: prepare a method, ask it about every prompt, save what it found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.generate import start_of
from app.models.load import LoadedModel, count_parameters, load_model
from app.models.text import Query
from app.retrieval.bm25 import BM25, K1, B
from app.retrieval.dense import Dense, check_model
from app.retrieval.search import open_search
from app.runs.answers import answer_prompts
from app.runs.saving import OPPONENTS, PROPONENTS, Found, found_in, ground_truth, random_passages, save_run
from app.settings import Settings
from app.store.corpora import get_corpus, stream_passages
from app.store.models import register_model
from app.store.prompts import get_prompt_set, list_prompts
from app.store.tables import Corpus, Model, Output, Prompt, PromptSet, Run
from app.tracing.loaded import check_corpus
from app.trackstar.index import TrackstarIndex, open_index

Progress = Callable[[int, int], None]
NAMES = {
    "trackstar": "TrackStar",
    "bm25": "BM25",
    "dense": "Dense",
    "random": "Random passages",
    "ground-truth": "Passages that state the fact",
}
AT_ONCE = 64  # queries encoded and searched together


@dataclass(frozen=True)
class Task:
    """What a run is made of, read from the store once."""

    index: TrackstarIndex
    loaded: LoadedModel
    model: Model
    corpus: Corpus
    prompt_set: PromptSet
    prompts: list[Prompt]

    @property
    def queries(self) -> list[Query]:
        """Each prompt with its target."""
        return [Query(prompt.text, prompt.target) for prompt in self.prompts]


def open_task(session: Session, settings: Settings, index_name: str, prompt_set: str) -> Task:
    """Open an index with its model, and the prompts to ask.

    Raises:
        UserError: one is missing or damaged (every checksum is compared), or the index was built for another model or corpus.
    """
    index = open_index(settings.indexes / index_name)
    index.verify()
    source = index.manifest.model
    weights = index.manifest.weights
    loaded = load_model(settings.models / source.name, device=settings.device, override=weights)
    if loaded.sha256 != source.sha256:
        raise UserError(
            f"The index “{index_name}” was built with another model than what “{source.name}” is now.",
            field="index",
            remedy="Build the index again.",
        )
    corpus = get_corpus(session, index.manifest.corpus.name)
    check_corpus(corpus, index)
    found = get_prompt_set(session, prompt_set)
    model = _model(session, settings, loaded, source.name)
    return Task(index, loaded, model, corpus, found, list_prompts(session, found.id))


def ensure_answers(session: Session, task: Task, progress: Progress | None = None) -> None:
    """Ask the model every prompt, unless it was asked before."""
    known = select(func.count()).where(
        Output.model_id == task.model.id, Output.prompt_id.in_([prompt.id for prompt in task.prompts[:1]])
    )
    if not session.scalar(known):
        check_prompts(task, completing=True)
        answer_prompts(session, task.model, task.loaded, task.prompts, progress=progress)


def check_prompts(task: Task, *, completing: bool = False) -> None:
    """Whether every prompt can be asked, before hours are spent on those that can.

    Args:
        completing: the model is to go on from them too.

    Raises:
        UserError: one cannot; it is named.
    """
    for prompt, query in zip(task.prompts, task.queries, strict=True):
        try:
            task.loaded.texts.query(query)
            if completing:
                start_of(task.loaded, prompt.text)
        except UserError as error:
            raise UserError(
                f"The prompt “{prompt.external_id}” of “{task.prompt_set.name}” cannot be asked: {error.message}",
                field=error.field,
                remedy=error.remedy,
            ) from None


def check_method(method: str, dense_model: Path | None) -> None:
    """Whether there is such a method, before hours are spent on the model's answers.

    Raises:
        UserError: the method is unknown, or `dense` has no model to embed with.
    """
    if method not in NAMES:
        raise UserError(f"There is no method “{method}”.", field="method", remedy=f"Use {', '.join(NAMES)}.")
    if method == "dense":
        check_model(dense_model)


def retrieve(
    session: Session,
    task: Task,
    method: str,
    *,
    slug: str,
    k: int = PROPONENTS,
    opponents: int = OPPONENTS,
    kind: str = "exact",
    dense_model: Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Make a run of `trackstar` (the index's own method), `bm25`, `dense`, `random` or `ground-truth`.

    Args:
        dense_model: directory of the sentence-transformers model that `dense` embeds with.

    Raises:
        UserError: as `check_method`, or a run of this name exists.
    """
    check_method(method, dense_model)
    step = progress or (lambda done, total: None)
    configuration: dict[str, Any] = {"proponents": k, "opponents": opponents}
    if method == "trackstar":
        found, more = _trackstar(task, k, opponents, kind, step)
    elif method == "bm25":
        found, more = _bm25(session, task, k, step)
    elif method == "dense" and dense_model:
        found, more = _dense(session, task, k, dense_model, step)
    elif method == "random":
        found, more = random_passages(task.prompts, task.corpus, k), {"seed": 0}
    else:
        found, more = ground_truth(session, task.prompts, task.prompt_set, task.corpus, k), {}
    return save(session, task, found, method=method, slug=slug, configuration=configuration | more)


def save(
    session: Session,
    task: Task,
    found: list[Found],
    *,
    method: str,
    slug: str,
    configuration: Mapping[str, Any],
    name: str = "",
) -> Run:
    """Save what a method found as a run of this task."""
    plain = NAMES.get(method, method)
    suffix = "" if slug == method else f" ({slug})"
    return save_run(
        session,
        slug=slug,
        name=name or f"{plain}{suffix}",
        method=method,
        model=task.model,
        corpus=task.corpus,
        prompt_set=task.prompt_set,
        prompts=task.prompts,
        found=found,
        configuration=dict(configuration),
        index_name=task.index.path.name,
    )


def _trackstar(
    task: Task, k: int, opponents: int, kind: str, progress: Progress
) -> tuple[list[Found], dict[str, Any]]:
    check_prompts(task)
    encoder = task.index.encoder(task.loaded)
    search = open_search(task.index, kind, device=str(task.loaded.device))
    found: list[Found] = []
    queries = task.queries
    for start in range(0, len(queries), AT_ONCE):
        encoded = encoder.encode_queries(queries[start : start + AT_ONCE])
        low = search.search(encoded, opponents, opponents=True) if opponents else None
        found += found_in(search.search(encoded, k), low)
        progress(len(found), len(queries))
    manifest = task.index.manifest
    about = {
        "method": manifest.method.as_dict(),
        "hessian": manifest.hessian,
        "second_moments": manifest.second_moments,
        "index": task.index.path.name,
        "search": search.kind,
        "model_sha256": manifest.model.sha256,
        "corpus_sha256": manifest.corpus.sha256,
    }
    return found, about


def _bm25(session: Session, task: Task, k: int, progress: Progress) -> tuple[list[Found], dict[str, Any]]:
    bm25 = BM25.build(text for _, _, text in stream_passages(session, task.corpus.id))
    found: list[Found] = []
    for start in range(0, len(task.prompts), AT_ONCE):
        piece = task.prompts[start : start + AT_ONCE]
        found += found_in(bm25.search([f"{prompt.text} {prompt.target}" for prompt in piece], k))
        progress(len(found), len(task.prompts))
    return found, {"method": "lucene", "k1": K1, "b": B, "words": "lower-cased, no stemming, no stop words"}


def _dense(
    session: Session, task: Task, k: int, model: Path, progress: Progress
) -> tuple[list[Found], dict[str, Any]]:
    dense = Dense.open(
        model,
        (text for _, _, text in stream_passages(session, task.corpus.id)),
        task.corpus.passage_count,
        task.index.path,
        device=str(task.loaded.device),
        progress=progress,
    )
    found: list[Found] = []
    for start in range(0, len(task.prompts), AT_ONCE):
        piece = task.prompts[start : start + AT_ONCE]
        found += found_in(dense.search([f"{prompt.text} {prompt.target}" for prompt in piece], k))
        progress(len(found), len(task.prompts))
    return found, dense.about


def _model(session: Session, settings: Settings, loaded: LoadedModel, name: str) -> Model:
    known = session.scalar(select(Model).where(Model.name == name, Model.sha256 == loaded.sha256))
    if known is not None:
        return known
    path = settings.models / name
    return register_model(
        session, name, path=str(path), sha256=loaded.sha256, parameters=count_parameters(path)
    )
