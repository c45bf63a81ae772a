"""Files become a corpus or a prompt set, in the order of the files, whole or not at all.

A prompt set is one transaction; a corpus, which may be larger than memory, is added in steps (`app.store.growing`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePath

from app.errors import UserError
from app.interchange.fields import Fields
from app.interchange.plain import STATED_BY, LeftOut, read_passages, read_prompts
from app.interchange.presets import DatasetPreset
from app.interchange.provenance import hub_page, pin, read_from
from app.interchange.records import Reading
from app.interchange.sift import Part, Sift
from app.interchange.trex import Selection, Stated, choose_facts, only
from app.showing import Progress
from app.store.corpora import PassageRecord, external_ids, get_corpus, stream_records
from app.store.engine import Store
from app.store.growing import grow_corpus, unfinished
from app.store.origins import NOTHING_SAID, Origin
from app.store.prompts import add_prompts, count_prompts
from app.words.roles import TEXTS, form_of

_SUFFIXES = (".gz", ".zst", ".xz", ".bz2", ".zip",
             ".jsonl", ".json", ".parquet", ".csv", ".tsv", ".txt", ".arrow")  # fmt: skip


@dataclass(frozen=True)
class FactChoice:
    """Which facts of a file of prompts a corpus is made of: those that so many passages state, and at most so many."""

    file: Path
    min_frequency: int = 1
    max_facts: int | None = None


@dataclass(frozen=True)
class AddedCorpus:
    """What a corpus became: how many facts were chosen for it, where they were; ids left out, and as which they were there;
    how many passages are of which form (`app.words.roles.FORMS`), where not all are plain texts; how many of its passages
    were here already from an adding that was stopped."""

    id: int
    name: str
    passages: int
    facts: int | None
    left_out: Sequence[tuple[str, str]]
    forms: Mapping[str, int]
    resumed: int


@dataclass(frozen=True)
class AddedPrompts:
    """What a prompt set became: its statements, and what was left out: by the preset with the reason, and because the corpus
    has not all their passages (how many, and the first)."""

    name: str
    prompts: int
    links: int
    left_out: Sequence[tuple[str, str]]
    unstated: int
    first_unstated: str


def add_corpus_files(
    store: Store,
    files: Sequence[str],
    name: str = "",
    *,
    origin: Origin = NOTHING_SAID,
    fields: Fields | None = None,
    reading: Reading | None = None,
    sift: Sift | None = None,
    facts: FactChoice | None = None,
    after: str = "",
    progress: Progress | None = None,
) -> AddedCorpus:
    """Add the passages of files as a corpus; one whose adding was stopped goes on where it was.

    Args:
        files: as `app.interchange.records` finds them.
        name: the corpus's; empty for the first file's.
        origin: what its page says of it; a source on the hub is said by itself, at its commit.
        sift: what is taken of the files; all by default.
        facts: take only passages that state one of these.
        after: a corpus whose passages come first: this one is that one, grown. That one stays as it is, and so does what
            was worked out over it; an index of it can be gone on with (`app.trackstar.append`).
        progress: told bytes read and in all; with a label, texts indexed and in all.

    Raises:
        UserError: a record cannot be read, no fact is left, or there is a corpus of this name.
    """
    told = progress or _untold
    sift, name = sift or Sift(), name or name_of(files)
    fields, reading = fields or Fields(), reading or Reading()
    begun = unfinished(store, name)
    files = pin(files, begun.reading if begun else {})
    said = Origin(origin.description, origin.source or hub_page(files), origin.licence, origin.author)
    chosen: Selection | None = None
    if facts is not None:
        chosen = choose_facts(
            facts.file, min_frequency=facts.min_frequency, max_facts=facts.max_facts, progress=told
        )

    def indexing(done: int, total: int) -> None:
        told(done, total, "Indexing words, texts")

    ids, standing = _standing(store, after)
    records = sift(read_passages(files, told, fields=fields, reading=reading, before=ids))
    forms: Counter[str] = Counter()
    try:
        grown = grow_corpus(
            store,
            name,
            _counted(chain(standing, only(records, chosen) if chosen else records), forms),
            origin=said,
            reading=lambda: read_from(files, reading, fields, sift, after),
            indexing=indexing,
        )
    except UserError as error:
        if error.field == "text":  # there is none in all of them
            error.file = error.file or files[0]
        raise
    facts_chosen = chosen.facts if chosen else None
    roled = {} if set(forms) == {TEXTS} else dict(forms)
    return AddedCorpus(grown.id, name, grown.passages, facts_chosen, sift.left_out, roled, grown.resumed)


def _standing(store: Store, name: str) -> tuple[frozenset[str], Iterator[PassageRecord]]:
    """The ids and the passages of a corpus that is gone on with; none where none is named.

    Raises:
        NotFound: there is none of this name. UserError: it is not whole.
    """
    if not name:
        return frozenset(), iter(())
    with store.session() as session:
        corpus = get_corpus(session, name)
        ids, id_ = external_ids(session, corpus), corpus.id

    def passages() -> Iterator[PassageRecord]:
        with store.session() as session:
            yield from stream_records(session, id_)

    return ids, passages()


def _counted(records: Iterable[PassageRecord], forms: Counter[str]) -> Iterator[PassageRecord]:
    for record in records:
        forms[form_of(record.lesson)] += 1
        yield record


def add_prompt_files(
    store: Store,
    files: Sequence[str],
    name: str = "",
    *,
    corpus: str = "",
    strict: bool = False,
    fields: Fields | None = None,
    reading: Reading | None = None,
    form: DatasetPreset | None = None,
    labels: Path | None = None,
    part: Part | None = None,
    left_out: LeftOut | None = None,
    progress: Progress | None = None,
) -> AddedPrompts:
    """Add the prompts of files as a prompt set, linked to the passages of `corpus` that state their facts.

    Args:
        name: the set's; empty for the corpus's, or the first file's.
        strict: refuse a prompt that names a passage which the corpus has not, rather than leave it out.
        form: how a published set is laid out.
        labels: a file of the right choices' numbers, where the set keeps them apart.
        part: which of those that can be asked are taken; all by default.
        left_out: filled with (id, why) while the files are read, so that it is known also where they are refused.

    Raises:
        UserError: a record cannot be read, none is left, or there is a set of this name.
    """
    left = [] if left_out is None else left_out
    name = name or corpus or name_of(files)
    with store.session() as session:
        known = get_corpus(session, corpus) if corpus else None
        records = read_prompts(
            files,
            progress or _untold,
            fields=fields,
            reading=reading,
            form=form,
            labels=labels,
            left_out=left,
        )
        records = part(records) if part else records
        stated = Stated(external_ids(session, known)) if known and not strict else None
        try:
            added = add_prompts(session, name, stated.filter(records) if stated else records, corpus=known)
        except UserError as error:
            if stated and stated.dropped and not stated.kept:
                raise UserError(
                    f"None of the {stated.dropped:,} prompts names only passages of the corpus “{corpus}”.",
                    file=files[0],
                    field=STATED_BY,
                    remedy="Name the corpus that the prompts were made for.",
                ) from None
            error.file = error.file or files[0]
            raise
        count, links = count_prompts(session, added)
        dropped, first = (stated.dropped, stated.first) if stated else (0, "")
        return AddedPrompts(added.name, count, links, left, dropped, first)


def name_of(files: Sequence[str]) -> str:
    """A name made of the first file's: without folders, and without what tells its format.

    Raises:
        UserError: standard input has no name.
    """
    first = files[0].split("@")[0].rstrip("/")
    if first == "-":
        raise UserError("Standard input has no name.", field="name", remedy="Give a --name.")
    name = PurePath(first).name
    plain = PurePath(name).stem if set(name) & set("*?[") else name
    for suffix in _SUFFIXES:
        plain = plain.removesuffix(suffix)
    return plain.strip("*?[]-_.") or PurePath(first).parent.name or "corpus"


def tokenizer_of(name: str, models: Path) -> Path | None:
    """The `tokenizer.json` of a model in HOME/models, of a directory, or itself; None where no name is given.

    Raises:
        UserError: there is none.
    """
    if not name:
        return None
    for path in (models / name / "tokenizer.json", Path(name) / "tokenizer.json", Path(name)):
        if path.is_file():
            return path
    raise UserError(
        f"There is no tokenizer at {name!r}.", field="tokenizer", remedy="Name a model, or a tokenizer.json."
    )


def _untold(done: int, total: int, label: str | None = None) -> None:
    """Nobody watches."""
