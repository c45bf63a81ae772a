"""A results file into the store: streaming, in the caller's transaction, what is known already found again."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import DeclarativeBase, Session

from app.errors import UserError
from app.interchange.fields import Fields
from app.interchange.records import USUAL, Line, Progress, Reading
from app.interchange.records.hub import HUB, pinned
from app.interchange.records.not_numbers import count
from app.interchange.results_fields import RETRIEVED, SIDES, unknown
from app.interchange.results_lines import result_lines, whole
from app.interchange.results_lossless import leftover
from app.interchange.results_match import PromptMatcher, explains_said, put_answers
from app.interchange.results_parse import Parsed, parse
from app.interchange.results_passages import PassageMatcher
from app.interchange.results_rows import RESULT, judged, places, summary, told
from app.interchange.tools import AUTO, tool_for
from app.interchange.tools.matrices import KEPT_PROPONENTS, Places
from app.store.arriving import Arrival
from app.store.base import now
from app.store.chunks import chunks
from app.store.corpora import find_corpus
from app.store.denied import Denylist
from app.store.memory import CHANGED_RUNS
from app.store.models import answers_change, register_model
from app.store.naming import slugify
from app.store.origins import Origin
from app.store.tables import Corpus, Model, Output, PromptSet, Result, Retrieved, Run, Statement, Tombstone
from app.store.writing import insert_rows, new_ids
from app.words.answers import SAID, TARGET
from app.words.file_names import method_in
from app.words.methods import IMPORTED

AT_ONCE = 500  # records written together
UNKNOWN = "unknown_fields"  # in a run's configuration: fields that were kept but not understood -> the nearest known
NULLS = "read_as_null"  # there: numbers that were NaN, by field


@dataclass(frozen=True)
class Destination:
    """Where the contents of a file go. Files with the same names share their prompts and passages."""

    prompts: str = IMPORTED
    corpus: str = IMPORTED
    model: str = IMPORTED
    method: str = ""  # empty: what the file's name says


def import_results(
    session: Session,
    path: Path | str,
    *,
    run: str,
    name: str | None = None,
    into: Destination | None = None,
    reading: Reading | None = None,
    fields: Fields | None = None,
    form: str = AUTO,
    rows: str = "",
    k: int = KEPT_PROPONENTS,
    progress: Progress | None = None,
    arrival: Arrival | None = None,
) -> Run:
    """Take a results file in as a run called `run`.

    Args:
        session: whose transaction decides; or that of an `arrival`, which lets others write between two lots of records.
        path: a file, folder or `-`, of any format that has fields.
        name: the file's name in messages; the path where there is no other.
        into: prompt set, corpus and model; made if they do not exist.
        fields: names of the id, prompt, target and passages' texts, where they are not the format's.
        form: of `tools.NAMES`; `auto`: told by what is in the file.
        rows, k: of a matrix: what its rows are, and how many proponents are kept of each query.
        progress: told bytes read and in all.

    Raises:
        UserError: a line or field of the file cannot be used, or the run's name is taken. Roll back then.
    """
    path = pinned(str(path))
    arrival = arrival or Arrival(session)
    arrival.alone()
    into, file = into or Destination(), Path(path)
    tool = tool_for(file, form)
    if tool:
        into = replace(into, method=into.method or tool.method)
        lines = tool.read(file, Places(session, into.prompts, into.corpus, rows, k))
    else:
        lines = result_lines(path, replace(reading or Reading(), name=name or ""), fields, progress)
    importer = _Importer(arrival, run, into, name or str(path))
    arrival.step()
    with closing(whole(lines, name or str(path))) as records:
        for chunk in chunks(map(parse, records), AT_ONCE):
            arrival.alone()
            importer.add(chunk)
            arrival.step()
    arrival.alone()
    return importer.finish()


@dataclass
class _Importer:
    arrival: Arrival
    name: str
    into: Destination
    file: str
    count: int = 0
    said: bool = False  # the passages are those of what the model said
    usual: list[str] | None = None  # the first record's fields, in order
    names: dict[str, None] = field(
        default_factory=dict
    )  # every record's fields, in the order in which they came
    nulls: Counter[str] = field(default_factory=Counter)  # NaN, by field
    run: Run = field(init=False)

    @property
    def session(self) -> Session:
        return self.arrival.session

    def __post_init__(self) -> None:
        session, into = self.session, self.into
        if not self.name.strip() or len(self.name) > 200 or "\0" in self.name:
            raise UserError(
                "A run needs a name of 1 to 200 characters.", field="run", remedy="Use --run NAME."
            )
        for option in ("prompts", "corpus", "model"):
            if not getattr(into, option).strip():
                raise UserError(
                    "The name is blank.", field=option, remedy=f"Use --{option} NAME, or leave it out."
                )
        slug = slugify(self.name)
        Denylist(self.session, "run").refuse(slug, self.name)
        if session.scalar(select(Run.id).where(Run.slug == slug)) is not None:
            raise UserError(
                f"There is a run “{slug}” already.",
                field="run",
                remedy=f"Choose another name, or remove it with `startrail runs remove {slug}`.",
            )
        corpus = find_corpus(session, into.corpus)
        prompt_set = session.scalar(select(PromptSet).where(PromptSet.name == into.prompts))
        model = session.scalar(select(Model).where(Model.name == into.model))
        made: list[DeclarativeBase] = []
        if corpus is None:
            corpus = Corpus(name=into.corpus, description="Passages that came with results files.")
            made.append(corpus)
        if prompt_set is None:
            prompt_set = PromptSet(name=into.prompts)
            made.append(prompt_set)
        if model is None:
            said = Origin("Outputs that came with results files.")
            model = register_model(session, into.model, origin=said)
            made.append(model)
        self.run = Run(
            slug=slug,
            name=self.name.strip(),
            method=into.method or method_in(Path(self.file).name),
            model=model,
            corpus=corpus,
            prompt_set=prompt_set,
        )
        session.add(self.run)
        session.flush()
        self.passages = PassageMatcher(session, corpus)
        self.prompts = PromptMatcher(self.arrival.shared, prompt_set, self.file)
        self.arrival.begin(self.run, made, self.passages.next, self.prompts.next)

    def add(self, records: list[Parsed]) -> None:
        """Write some records: first what they share with others, then themselves."""
        prompts = self.prompts.ids(records)
        answers = put_answers(self.arrival.shared, self.run.model_id, records, prompts)
        passages = self.passages.ids(records)
        truth = self._truth([prompt["id"] for prompt in prompts])
        ids = new_ids(self.session, Result, len(records))
        if self.usual is None:
            self.usual = list(records[0].record)
        results: list[tuple[Any, ...]] = []
        retrieved: list[tuple[Any, ...]] = []
        for at, (parsed, id_, prompt) in enumerate(zip(records, ids, prompts, strict=True)):
            stored = {"prompt": prompt, "output": answers[at], **{side: {} for side in SIDES}}
            sums: tuple[float | None, ...] = (None, None, None, None)
            for side, columns in parsed.sides.items():
                found = passages[at, side]
                if prompt["id"] in truth:
                    columns = judged(columns, found, truth[prompt["id"]])
                if found:
                    stored[side] = columns | {"external_id": [external for _, external in found]}
                if side == SIDES[0]:
                    sums = summary(columns)
                retrieved += places(id_, side, columns, [passage for passage, _ in found])
            if parsed.line.nulls:
                count(self.nulls, parsed.line.nulls)
            names = list(parsed.record)
            if names != self.usual:
                self._name(parsed.line, names)
            place = (id_, self.run.id, prompt["id"], self.count + at)
            extra = leftover(parsed.record, stored)
            fields = None if names == self.usual else names
            results.append((*place, *sums, *told(parsed.record), extra, fields))
        insert_rows(self.session, Result, RESULT, results)
        insert_rows(
            self.session, Retrieved, ("result_id", "side", "rank", "passage_id", *RETRIEVED), retrieved
        )
        self.count += len(records)
        self.said |= any(map(explains_said, records))

    def _name(self, line: Line, names: list[str]) -> None:
        """Remember what the fields of another record are called.

        Raises:
            UserError: no two records are alike, and there are many.
        """
        self.names |= dict.fromkeys(names)
        if len(self.names) > USUAL.fields:
            raise line.wrong(
                None,
                f"The records so far have more than {USUAL.fields:,} different fields.",
                "Put what differs from record to record into one field, as an object.",
            )

    def _truth(self, prompts: list[int]) -> dict[int, set[int]]:
        """The passages that state each prompt's fact, where the file's passages are those the prompts were made for."""
        truth: dict[int, set[int]] = {}
        if self.run.prompt_set.corpus_id == self.run.corpus_id:
            query = select(Statement.prompt_id, Statement.passage_id).where(Statement.prompt_id.in_(prompts))
            for prompt, passage in self.session.execute(query):
                truth.setdefault(prompt, set()).add(passage)
        return truth

    def finish(self) -> Run:
        """The run, complete."""
        self.passages.finish()
        self.session.execute(delete(Tombstone).where(Tombstone.path == f"/runs/{self.run.slug}"))
        self.run.prompt_count = self.count
        self.run.explains = SAID if self.said else TARGET
        self.run.configuration = {
            "file": self.file if self.file.startswith(HUB) else Path(self.file).name,
            "fields": self.usual,
        }
        if strangers := unknown([*(self.usual or ()), *self.names]):
            self.run.configuration |= {UNKNOWN: strangers}
        if self.nulls:
            self.run.configuration |= {NULLS: dict(self.nulls)}
        self.run.finished_at = now()
        if Output in self.arrival.shared.touched:
            answers_change(self.session, self.run.model_id)
        self.session.info[CHANGED_RUNS] = True
        self.session.flush()
        return self.run
