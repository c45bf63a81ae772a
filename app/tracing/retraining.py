"""Train the small model of an outcome without some passages, and compare it with the one that was trained with everything.

    HOME/truth/NAME.without/DIGEST/everything    the model with everything, kept and shared
    HOME/truth/NAME.without/DIGEST/*.state       how far a training is that was stopped: it goes on from there

Tokenizer, first weights, batches and learning rates are equal: what is left out leaves its place in its batch empty. One thread
computes, for another number gives other weights.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import select

from app.demo.pretrain import PretrainConfig, pretrain
from app.digests import ids_sha256
from app.errors import UserError
from app.files import put
from app.models.generate import complete
from app.models.load import load_model
from app.models.text import Query
from app.settings import Settings
from app.store.engine import Store
from app.store.jobs import OVER
from app.store.tables import Corpus
from app.store.work_tables import Job
from app.tracing.probabilities import log_probabilities
from app.tracing.stepping import NotWanted
from app.truth.kept import PLACE, passage_rows

THREADS = 1
SAYS = 12  # tokens of what a model goes on to say
PAUSE = 1.0  # seconds of training between two reports
STAGES = ("baseline", "retraining")
STATE = ".state"
Report = Callable[[str, int, int], bool]
"""Stage, steps taken, of how many; answers whether it is still wanted."""


def retrain(
    settings: Settings, store: Store, job: str, request: dict[str, Any], report: Report
) -> dict[str, Any]:
    """What both models make of each prompt, and all that it takes to train them again.

    Raises:
        UserError: the corpus is another one by now, or nothing is left to train on.
        NotWanted: somebody cancelled it.
    """
    config = PretrainConfig(**request["config"])
    with store.session() as session:
        corpus = session.scalars(select(Corpus).where(Corpus.id == request["corpus_id"])).first()
        if corpus is None or corpus.sha256 != request["corpus_sha256"]:
            raise UserError(
                "The corpus is another one by now.", remedy="Ask again.", field="passages", status=409
            )
        rows = passage_rows(session, corpus, request["only"])
    without = set(request["ids"])
    texts = [row.text for row in rows]
    gone = [at for at, row in enumerate(rows) if row.id in without]
    versions = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")}
    place = settings.home / PLACE / f"{request['outcome']}.without" / _digest(request, versions)
    place.mkdir(parents=True, exist_ok=True)
    _sweep(store, place)
    queries = [Query(each["prompt"], each["completion"]) for each in request["prompts"]]
    started = time.monotonic(), time.process_time()
    base = place / "everything"
    out = place / f"{job}.model"
    with _alone(report) as told:
        if not base.is_dir():
            made = place / f"{job}.everything"
            _train(texts, made, config, (), told(STAGES[0]), place / f"everything{STATE}")
            _share(made, base)
        _train(texts, out, config, gone, told(STAGES[1]), place / f"{job}{STATE}")
    before, after = _measured(base, queries), _measured(out, queries)
    shutil.rmtree(out)
    return {
        "prompts": [
            {"before": one[0], "after": other[0], "says_before": one[1], "says_after": other[1]}
            for one, other in zip(before, after, strict=True)
        ],
        "passages": len(rows),
        "left_out": len(gone),
        "kept_sha256": ids_sha256(row.external_id for row in rows if row.id not in without),
        "threads": THREADS,
        "versions": versions,
        "seconds": round(time.monotonic() - started[0], 1),
        "processor_seconds": round(time.process_time() - started[1], 1),
    }


def _sweep(store: Store, place: Path) -> None:
    """Remove how far trainings were that are over: those that somebody cancelled."""
    with store.session() as session:
        for left in place.glob(f"*{STATE}"):
            job = session.get(Job, left.name.removesuffix(STATE))
            if job is not None and job.state in OVER:
                left.unlink(missing_ok=True)


def _digest(request: dict[str, Any], versions: dict[str, str]) -> str:
    """Equal for trainings that share their model with everything."""
    alike = [request["corpus_sha256"], request["only"], request["config"], THREADS, versions]
    return hashlib.sha256(json.dumps(alike, sort_keys=True).encode()).hexdigest()[:16]


def _train(
    texts: list[str],
    out: Path,
    config: PretrainConfig,
    gone: Collection[int],
    progress: Callable[[int, int, int, float, float], None],
    state: Path,
) -> None:
    shutil.rmtree(out, ignore_errors=True)  # of a worker that was killed just then
    pretrain(texts, out, config, left_out=gone, progress=progress, state=state)
    state.unlink(missing_ok=True)


def _share(made: Path, base: Path) -> None:
    """Give the model with everything its name, unless another worker was first: both are equal, and theirs may be read."""
    if base.is_dir():
        shutil.rmtree(made)
    else:
        put(made, base)


def _measured(model: Path, queries: list[Query]) -> list[tuple[float, str]]:
    """Of each prompt: log p of its completion, and what the model itself goes on to say."""
    loaded = load_model(model, device="cpu")
    logs = [log for log, _ in log_probabilities(loaded, queries)]
    said = complete(loaded, [query.prompt for query in queries], max_new_tokens=SAYS)
    return [(round(log, 4), each.text) for log, each in zip(logs, said, strict=True)]


@contextmanager
def _alone(report: Report) -> Iterator[Callable[[str], Callable[[int, int, int, float, float], None]]]:
    """One thread, and in between, at each report, as many as before: a question may be answered then."""
    usual = torch.get_num_threads()
    last = 0.0

    def told(stage: str) -> Callable[[int, int, int, float, float], None]:
        def progress(step: int, total: int, tokens: int, loss: float, rate: float) -> None:
            nonlocal last
            if step < total and time.monotonic() - last < PAUSE:
                return
            torch.set_flush_denormal(False)
            torch.set_num_threads(usual)
            try:
                if not report(stage, step, total):
                    raise NotWanted
            finally:
                torch.set_num_threads(THREADS)
                torch.set_flush_denormal(True)
                last = time.monotonic()

        return progress

    torch.set_num_threads(THREADS)
    try:
        yield told
    finally:
        torch.set_num_threads(usual)
