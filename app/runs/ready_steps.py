"""The steps of runs' pages made ready: read from a file as far as it has them, taken where they are missing."""

from pathlib import Path

from app.errors import UserError
from app.interchange.steps_file import read_steps, write_steps
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.runs import get_run
from app.tracing.loaded import open_loaded
from app.tracing.steps_ahead import drawn, on_front_page, take_ahead


def make_ready(
    settings: Settings,
    store: Store,
    runs: list[str],
    *,
    per_task: int,
    load: Path | None = None,
    save: Path | None = None,
    bar: Bar = unseen,
) -> tuple[int, int]:
    """The steps of some prompts of these runs, and of those on the front page; returns how many were taken and read.

    Args:
        per_task: prompts of each task, see `app.tracing.steps_ahead.drawn`.
        load, save: files of steps, see `app.interchange.steps_file`.

    Raises:
        UserError: the runs are not of one index, the index or the file cannot be read, or `save` has no folder.
    """
    if save is not None and not save.absolute().parent.is_dir():
        raise UserError("The folder does not exist.", file=save, remedy="Make it first.")
    loaded = open_loaded(settings, store, _index(store, runs), device=settings.device)
    manifest = loaded.index.manifest
    with store.session() as session:
        corpus = get_corpus(session, manifest.corpus.name)
        read = read_steps(session, corpus, manifest.model.sha256, load) if load else 0
        wanted = [result for run in runs for result in drawn(session, run, per_task)]
        results = list(dict.fromkeys([*on_front_page(session, runs), *wanted]))
    with bar("Training steps") as step:
        taken = take_ahead(store, loaded, results, page_seconds=settings.steps_page_seconds, progress=step)
    if save is not None:
        with store.session() as session:
            write_steps(session, corpus, manifest.model.sha256, results, save)
    return taken, read


def _index(store: Store, runs: list[str]) -> str:
    """The index that all of the runs were made with."""
    with store.session() as session:
        names = {get_run(session, run).index_name for run in runs}
    if len(names) != 1 or None in names:
        raise UserError(
            "The runs were not all made with one index of this machine.",
            field="runs",
            remedy="Name runs of one index; take the others by themselves.",
        )
    return str(names.pop())
