"""The prompts and answers of a results file: found again in the store, or added to it.

A prompt is the same if its id, text and target are (of an incorrect prediction: what is right, where the set is complete);
a second one under the same id, or one that the file repeats, gets the id with a hash behind it, the same in every file.
What the store did not know of a prompt it learns from the file.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

from sqlalchemy import func, select

from app.interchange.results_fields import OUTPUT, PROMPT
from app.interchange.results_parse import Parsed
from app.interchange.results_passages import digest
from app.store.denied import Denylist
from app.store.naming import slugify
from app.store.shared_rows import SharedRows
from app.store.tables import Output, Prompt, PromptSet
from app.store.writing import insert_rows, new_ids
from app.words.answers import SAID
from app.words.cutting import cut
from app.words.tasks import FACT, OPEN_ENDED, TASKS, task_in

_COLUMNS = [field.column for field in PROMPT]
_ANSWER = [*(field.column for field in OUTPUT), "said_probability"]
Row = dict[str, Any]


class PromptMatcher:
    """The prompts of a set. A set that belongs to a corpus is complete and takes in no more."""

    def __init__(self, shared: SharedRows, prompt_set: PromptSet, file: str) -> None:
        self._shared, self._set, self._file = shared, prompt_set, file
        self._session = session = shared.session
        last = session.scalar(select(func.max(Prompt.position)).where(Prompt.prompt_set_id == prompt_set.id))
        self.next = 0 if last is None else last + 1
        self._denied = Denylist(session, "prompt")
        # This file's prompts, of which each is one result of the run: by their ids a bit each, the last ones by their names.
        self._used, self._first_id = bytearray(), 0
        self._now: set[str] = set()
        # How often a very prompt stood in the file that stands there again: a million times the same one are not searched for
        # from the first.
        self._times: dict[tuple[str, str, str], int] = {}

    def ids(self, records: Sequence[Parsed]) -> list[Row]:
        """Each record's prompt as the store has it: `id` and the columns a record is rebuilt from."""
        wanted = [_wanted(parsed, self._file) for parsed in records]
        known = self._named([row["external_id"] for row in wanted])
        found, new, learnt = [], [], []
        for parsed, row in zip(records, wanted, strict=True):
            if self._set.corpus_id is not None and explains_said(parsed):
                row |= _own_target(row, known.get(row["external_id"]))
            name = self._name(row, known)
            self._now.add(name)
            if name not in known:
                if self._set.corpus_id is not None:
                    raise parsed.line.wrong(
                        next(
                            (key for key in ("example_id", "trex_id") if key in parsed.record), "example_id"
                        ),
                        f"The prompt “{name}” is not, or not with this text and target, in “{self._set.name}”.",
                        "Name the set it comes from with --prompts, or leave --prompts out.",
                    )
                known[name] = row | {"external_id": name}
                new.append(known[name])
            elif self._set.corpus_id is None:
                learnt += _learn(known[name], row)
            found.append(known[name])
        self._add(new)
        self._shared.update(Prompt, learnt)
        for row in found:
            self._use(row["id"])
        self._now.clear()
        return found

    def _name(self, row: Row, known: dict[str, Row]) -> str:
        """The external id under which this very prompt stands, or will."""
        base = row["external_id"]
        this = (base, row["text"], row["target"])
        for number in count(self._times.get(this, 0)):
            again = [str(number)] if number > 1 else []
            name = f"{base}#{digest(row['text'], row['target'], *again)}" if number else base
            if number and name not in known:
                known |= self._named([name])
            same = name in known and all(known[name][key] == row[key] for key in ("text", "target"))
            if name not in known or (same and not self._is_used(name, known[name])):
                if number:
                    self._times[this] = number + 1
                return name
        raise AssertionError("count() does not end")

    def _is_used(self, name: str, row: Row) -> bool:
        """Whether a prompt stood in the file before."""
        place, bit = divmod(row.get("id", 0) - self._first_id, 8)
        return name in self._now or (0 <= place < len(self._used) and bool(self._used[place] >> bit & 1))

    def _use(self, id_: int) -> None:
        """Remember a prompt; of a million that stand together it takes an eighth of a megabyte."""
        if not self._used:
            self._first_id = id_ - id_ % 8
        before = -(-max(0, self._first_id - id_) // 8)
        self._first_id -= 8 * before
        self._used[:0] = bytes(before)
        place, bit = divmod(id_ - self._first_id, 8)
        self._used.extend(bytes(max(0, place + 1 - len(self._used))))
        self._used[place] |= 1 << bit

    def _named(self, names: Sequence[str]) -> dict[str, Row]:
        query = select(Prompt.id, *(getattr(Prompt, column) for column in _COLUMNS)).where(
            Prompt.prompt_set_id == self._set.id, Prompt.external_id.in_(names)
        )
        return {row.external_id: dict(row._mapping) for row in self._session.execute(query)}

    def _add(self, new: list[Row]) -> None:
        if not new:
            return
        for row in new:
            self._denied.refuse(row["text"], row["external_id"])
        slugs = [slugify(row["external_id"]) for row in new]
        taken = set(
            self._session.scalars(
                select(Prompt.slug).where(Prompt.prompt_set_id == self._set.id, Prompt.slug.in_(slugs))
            )
        )
        rows = []
        for id_, row, slug in zip(new_ids(self._session, Prompt, len(new)), new, slugs, strict=True):
            row["id"] = id_
            if slug in taken:
                slug = f"{slug}-{digest(row['external_id'])}"
            taken.add(slug)
            own = (row[column] for column in ("id", *_COLUMNS))
            rows.append((*own, self._set.id, self.next, slug, {}))
            self.next += 1
        insert_rows(
            self._session, Prompt, ("id", *_COLUMNS, "prompt_set_id", "position", "slug", "extra"), rows
        )


def _wanted(parsed: Parsed, file: str) -> Row:
    row = dict(parsed.prompt)
    if not row["external_id"]:
        row["external_id"] = row["fact_id"] or f"prompt:{digest(row['text'], row['target'])}"
    row["aliases"] = row["aliases"] or []
    row["task"] = row["task"] if row["task"] in TASKS else guess_task(parsed.record, file)
    return row


def _own_target(row: Row, known: Row | None) -> Row:
    """The target of the prompt that a record of an incorrect prediction is about: the record's own is what was said."""
    truth = known and (known["ground_truth"] or known["target"])
    if known is None or (known["text"], truth) != (row["text"], row["ground_truth"]):
        return {}
    return {"target": known["target"], "ground_truth": known["ground_truth"]}


def guess_task(record: Row, file: str) -> str:
    """The task of a record that does not name one of ours: by its words, by the file's name, by its fields."""
    own = " ".join(str(record.get(name, "")) for name in ("task", "query_set", "example_id", "trex_id"))
    for said in (own, file.rsplit("/", 1)[-1]):
        if task := task_in(said):
            return task
    return FACT if "relation" in record or "fact_id" in record else OPEN_ENDED


def _learn(known: Row, row: Row) -> list[Row]:
    """What the file says of a prompt that the store did not know."""
    news = {
        column: row[column]
        for column in _COLUMNS
        if known[column] in (None, []) and row[column] not in (None, [])
    }
    known |= news
    return [news | {"id": known["id"]}] if news else []


def put_answers(
    shared: SharedRows, model_id: int, records: Sequence[Parsed], prompts: Sequence[Row]
) -> list[Row]:
    """What the model said to each record's prompt, as the store has it: what it did not know it learns from the file.

    Raises:
        UserError: the file has another answer of this model to a prompt than the store.
    """
    ids = [prompt["id"] for prompt in prompts]
    query = select(Output.id, Output.prompt_id, *(getattr(Output, column) for column in _ANSWER)).where(
        Output.model_id == model_id, Output.prompt_id.in_(ids)
    )
    known = {row.prompt_id: dict(row._mapping) for row in shared.session.execute(query)}
    new, learnt = [], []
    for parsed, prompt, id_ in zip(records, prompts, ids, strict=True):
        said = _said(parsed)
        if id_ not in known:
            if any(value not in (None, []) for value in said.values()):
                known[id_] = said
                new.append((model_id, id_, *(said[column] for column in _ANSWER)))
            continue
        _check_answer(parsed, prompt, known[id_]["answer"])
        news = {
            column: value
            for column, value in said.items()
            if known[id_][column] in (None, []) and value not in (None, [])
        }
        if news:
            known[id_] |= news
            learnt.append(news | {"id": known[id_]["id"]})
    shared.insert(Output, ("model_id", "prompt_id", *_ANSWER), new)
    shared.update(Output, learnt)
    return [known.get(id_, {}) for id_ in ids]


def _check_answer(parsed: Parsed, prompt: Row, known: str | None) -> None:
    """A model has one answer to a prompt: what a page explains would else be another text than what the file traced."""
    answer = parsed.output["answer"]
    field = "model_answer" if answer is not None else "targets_plaintext"
    if answer is None and explains_said(parsed):
        answer = parsed.prompt["target"]
    if answer is None or known is None or answer.strip() == known.strip():
        return
    raise parsed.line.wrong(
        field,
        f"To “{prompt['external_id']}” this model answered “{cut(known.strip(), 60)}” in what is here already, and"
        f" “{cut(answer.strip(), 60)}” in this file.",
        "If they are of two models or two states of one, name this file’s with --model.",
    )


def _said(parsed: Parsed) -> Row:
    """The answer's columns. A target that was judged right, or that differs from the true one, is the answer, and the
    probability that the file gives is the answer's."""
    said, target, truth = dict(parsed.output), parsed.prompt["target"], parsed.prompt["ground_truth"]
    said["samples"] = said["samples"] or []
    said["said_probability"] = None
    if explains_said(parsed):
        said["said_probability"], said["probability"] = said["probability"], None
    judged_wrong = said["correct"] is False and truth == target  # then the target is what it did not say
    if said["answer"] is None and (said["correct"] or truth is not None) and not judged_wrong:
        said["answer"] = target
    if said["correct"] is None and truth is not None and truth != target:
        said["correct"] = False
    return said


def explains_said(parsed: Parsed) -> bool:
    """Whether the record's target is what the model said: by its own word, or because it is not what is right."""
    if "explains" in parsed.record:
        return bool(parsed.record["explains"] == SAID)
    target, truth = parsed.prompt["target"], parsed.prompt["ground_truth"]
    return truth is not None and truth != target and not parsed.output["correct"]
