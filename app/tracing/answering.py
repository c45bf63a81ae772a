"""One batch of questions to one index: complete, weigh, encode, search (journey 2 of the design).

Each stage works on all questions at once and first asks which are still wanted. What goes wrong with one
question is its own outcome; the others go on.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch

from app.errors import UserError
from app.models.contrast import difference, shares
from app.models.generate import complete, start_of
from app.models.load import LoadedModel
from app.models.text import Query
from app.retrieval.search import part_of
from app.store.engine import Store
from app.store.work_tables import Job
from app.tracing.deciding import decided, depth, stages_of
from app.tracing.loaded import LoadedIndex, first, ranking
from app.tracing.probabilities import completions
from app.tracing.questions import Question
from app.tracing.trace_results import Completion, Match, Provenance, Ranking, TraceResult
from app.tracing.version import code_version
from app.tracing.worker import Cancelled, Outcome, Report
from app.words.answers import answer_end
from app.words.methods import BM25, TRACKSTAR, TWO_STAGES

SAMPLE_SEED = 0


@dataclass
class PendingAnswer:
    """One question on its way."""

    job: Job
    question: Question
    completion: str
    span: tuple[int, int] | None
    tokens: tuple[int, ...] | None
    samples: list[str] = field(default_factory=list)
    weighed: list[Completion] = field(default_factory=list)
    rankings: dict[str, Ranking] = field(default_factory=dict)
    sides: list[Ranking] = field(default_factory=list)
    verbatim: list[Match] = field(default_factory=list)

    @property
    def completes(self) -> bool:
        """Whether the model is asked to go on from the prompt."""
        return self.question.completion is None or self.question.samples > 0

    @property
    def queries(self) -> list[Query]:
        """The target, and what it is contrasted with."""
        asked = self.question
        target = Query(asked.prompt, self.completion, self.span, self.tokens)
        return [target, *([Query(asked.prompt, asked.contrast)] if asked.contrast is not None else [])]

    @property
    def joined(self) -> str:
        """Prompt and completion as the model reads them."""
        return self.question.prompt + self.completion


def answer_together(
    store: Store, loaded: LoadedIndex, jobs: Sequence[Job], report: Report
) -> dict[str, Outcome]:
    """An outcome for each job, by id."""
    batch = _Batch(store, loaded, jobs, report)
    with batch.timed("total"):
        batch.complete()
        gradients = batch.encode()
        batch.search(gradients)
    return batch.outcomes()


class _Batch:
    def __init__(self, store: Store, loaded: LoadedIndex, jobs: Sequence[Job], report: Report) -> None:
        self.store, self.loaded, self.report = store, loaded, report
        self.together = len(jobs)
        self.timings: dict[str, float] = {}
        self.unsearched: list[tuple[int, int]] = []
        self.ended: dict[str, Outcome] = {}
        asked = [(job, _question(job)) for job in jobs]
        self.works = [
            PendingAnswer(job, question, question.completion or "", question.span, question.tokens)
            for job, question in asked
        ]

    def complete(self) -> None:
        """What the model says where no completion was given, and samples where they were asked for."""
        open_ = [work for work in self.works if work.completes]
        if not open_:
            return
        self.enter("completing", open_)
        self.try_each(lambda work: work.completes and start_of(self.loaded.model, work.question.prompt))
        open_ = [w for w in open_ if w.job.id not in self.ended]
        with self.timed("completing"):
            for count in sorted({work.question.samples for work in open_}):
                works = [work for work in open_ if work.question.samples == count]
                prompts = [work.question.prompt for work in works]
                said = complete(self.loaded.model, prompts, samples=count, seed=SAMPLE_SEED)
                for work, one in zip(works, said, strict=True):
                    work.samples = one.samples
                    if work.question.completion is None:
                        work.completion, work.tokens = one.text, one.tokens
                        end = answer_end(one.text)
                        work.span = (0, end) if end < len(one.text) else None
        self.try_each(_has_completion)

    def encode(self) -> torch.Tensor:
        """Projected gradients (queries, d), not whitened: of each target, each followed by its contrast."""
        self.enter("encoding", self.works)
        texts = self.loaded.model.texts
        self.try_each(lambda work: [texts.query(query) for query in work.queries])
        queries = [query for work in self.works for query in work.queries]
        with self.timed("encoding"):
            gradients = self.loaded.encoder.gradients([texts.query(query) for query in queries])
        with self.timed("weighing"):
            weighed = iter(completions(self.loaded.model, queries))
            for work in self.works:
                work.weighed = [next(weighed) for _ in work.queries]
        return gradients

    def search(self, gradients: torch.Tensor) -> None:
        """Rank the passages by every method."""
        searched = _searched(self.loaded.model, self.works, gradients)
        rows = dict(zip([work.job.id for work in self.works], searched, strict=True))
        self.enter("searching", self.works)
        if not self.works:
            return
        loaded, works = self.loaded, self.works
        with self.timed("searching"):
            vectors = [loaded.encoder.finish(rows[work.job.id]) for work in works]
            wanted = [(depth(loaded, w.question.k), w.question.opponents) for w in works]
            influences = loaded.influence(vectors, wanted)
            self.unsearched = loaded.missed()
        with self.timed("comparing"):
            texts, counts = [work.joined for work in works], [work.question.k for work in works]
            words = loaded.by_words(texts, counts)
            meanings = loaded.by_meaning(texts, counts)
            stretches = [loaded.word_for_word(work.joined) for work in works]
        named = [row for sides in influences for own in sides for side in own[:2] for row, _ in side]
        named += [row for own in (*words, *(meanings or ())) for row, _ in own]
        named += [row for own in stretches for stretch in own for row in stretch.rows]
        with self.store.session() as session:
            ids = loaded.ids(session, named)
            with self.timed("deciding"):
                orders = [
                    decided(session, loaded, work.queries, sides, ids, work.question.k)
                    for work, sides in zip(works, influences, strict=True)
                ]
        for at, (work, sides, order, own, stretch) in enumerate(
            zip(works, influences, orders, words, stretches, strict=True)
        ):
            influence = [ranking(first(side, work.question.k), ids) for side in sides]
            work.rankings = {TWO_STAGES: order[0]} if order else {}
            work.rankings |= {TRACKSTAR: influence[0], BM25: ranking((own, (), None), ids)}
            if meanings is not None:
                work.rankings["dense"] = ranking((meanings[at], (), None), ids)
            work.sides = (order or influence)[1:]
            work.verbatim = [
                Match(start=s.start, end=s.end, passages=s.count, passage_ids=[ids[row] for row in s.rows])
                for s in stretch
            ]

    def enter(self, stage: str, works: Sequence[PendingAnswer]) -> None:
        """Say what is done now; what nobody wants any more is dropped."""
        if not works:
            return
        for work, wanted in zip(works, self.report([w.job for w in works], stage), strict=True):
            if not wanted:
                self.ended[work.job.id] = Cancelled()
        self.works = [work for work in self.works if work.job.id not in self.ended]

    def try_each(self, check: Callable[[PendingAnswer], Any]) -> None:
        """Drop what `check` refuses, with its reason."""
        for work in self.works:
            try:
                check(work)
            except UserError as error:
                self.ended[work.job.id] = error
        self.works = [work for work in self.works if work.job.id not in self.ended]

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Milliseconds of the block, added to those of its name."""
        started = perf_counter()
        yield
        self.timings[name] = self.timings.get(name, 0.0) + 1000 * (perf_counter() - started)

    def outcomes(self) -> dict[str, Outcome]:
        """What came of each job."""
        provenance = self.provenance()
        for work in self.works:
            self.ended[work.job.id] = TraceResult(
                completion=work.weighed[0],
                target=work.span or (0, len(work.completion)),
                generated=work.question.completion is None,
                samples=work.samples,
                joined=work.joined,
                rankings=work.rankings,
                verbatim=work.verbatim,
                contrast=work.weighed[1] if len(work.weighed) > 1 else None,
                sides=work.sides,
                stages=stages_of(self.loaded, work.question.k),
                provenance=provenance,
            ).model_dump(mode="json")
        return self.ended

    def provenance(self) -> Provenance:
        """How these answers came about."""
        manifest = self.loaded.index.manifest
        return Provenance(
            model=manifest.model.name,
            model_sha256=manifest.model.sha256,
            index=self.loaded.name,
            index_sha256=self.loaded.sha256,
            corpus=manifest.corpus.name,
            corpus_id=self.loaded.corpus_id,
            corpus_sha256=manifest.corpus.sha256,
            passages=manifest.passages,
            unsearched=self.unsearched,
            part=part_of(self.loaded.search),
            method=manifest.method.as_dict(),
            search=self.loaded.search.kind,
            code=code_version(),
            device=str(self.loaded.model.device),
            threads=torch.get_num_threads(),
            answered_together=self.together,
            timings={name: round(value, 3) for name, value in self.timings.items()},
        )


def _question(job: Job) -> Question:
    return Question.saved(job.request)


def _has_completion(work: PendingAnswer) -> None:
    if not work.completion.strip():
        raise UserError(
            "The model ends here: it completes this prompt with nothing.",
            remedy="Give a completion, or another prompt.",
            field="completion",
        )


def _searched(
    model: LoadedModel, works: Sequence[PendingAnswer], gradients: torch.Tensor
) -> list[torch.Tensor]:
    """For each work the gradients searched with: its own; or of the difference, of the first, of the second.

    The gradient is linear before whitening and unit norm: see `app.models.contrast`.
    """
    wanted, at = [], 0
    for work in works:
        own = gradients[at : at + len(work.queries)]
        at += len(own)
        if len(own) > 1:
            this, that = (model.texts.query(query) for query in work.queries)
            own = torch.cat([difference(own[:1], own[1:], shares(model, [this], [that])), own])
        wanted.append(own)
    return wanted
