"""Steps taken ahead are those that the page would have taken, can be given away as a file, and are taken once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from typer.testing import CliRunner

from app.cli.main import app
from app.errors import UserError
from app.interchange.steps_file import read_steps, write_steps
from app.settings import Settings
from app.store import steps
from app.store.corpora import PassageRecord, add_corpus, get_corpus
from app.store.engine import Store, open_store
from app.store.models import register_model
from app.store.prompts import PromptRecord, add_prompts, list_prompts
from app.store.runs import get_run
from app.store.tables import Output, Passage, Result, Retrieved
from app.store.work_tables import StepTaken
from app.tracing.loaded import LoadedIndex, open_loaded
from app.tracing.steps_ahead import drawn, on_front_page, take_ahead
from tests.support.asking import made_home, settings_of
from tests.support.seeded import add_run
from tests.support.sites import site

pytestmark = pytest.mark.slow

PROMPTS = [
    PromptRecord(f"{task}-{n}", f"The {task} number {n} is", "Paris", task=task)
    for task in ("fact", "arithmetic")
    for n in range(3)
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    shutil.copytree(made_home(), tmp_path / "home")
    return settings_of(tmp_path / "home")


def fill(store: Store, order: int) -> None:
    """Two runs of the index over six prompts; `order` shifts which passages they retrieved."""
    with store.session() as session:
        corpus = get_corpus(session, "demo")
        own = add_prompts(session, "own", PROMPTS, corpus=corpus)
        model = register_model(session, "demo")
        passages = session.scalars(select(Passage.id).order_by(Passage.id)).all()
        for slug in ("traced", "again"):
            run = add_run(session, "trackstar", slug, model, corpus, own, len(PROMPTS), slug=slug)
            run.index_name = "demo"
            for at, prompt in enumerate(list_prompts(session, own.id)):
                result = Result(run_id=run.id, prompt_id=prompt.id, position=at, top_score=1.0)
                session.add(result)
                session.flush()
                shown = passages[at + order : at + order + 4]
                rows = [
                    {
                        "result_id": result.id,
                        "side": "proponent",
                        "rank": n,
                        "passage_id": id_,
                        "score": 1 / n,
                    }
                    for n, id_ in enumerate(shown, start=1)
                ]
                session.execute(insert(Retrieved), rows)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.url)
    fill(opened, 0)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def loaded(settings: Settings, store: Store) -> LoadedIndex:
    return open_loaded(settings, store, "demo", device="cpu")


def results(store: Store, run: str, per_task: int = 2) -> list[int]:
    with store.session() as session:
        return drawn(session, run, per_task)


def taken(store: Store) -> int:
    with store.session() as session:
        return session.scalars(select(func.count()).select_from(StepTaken)).one()


def test_some_prompts_of_each_task_the_same_for_every_run(store: Store) -> None:
    with store.session() as session:
        names = [
            {session.get_one(Result, id_).prompt_id for id_ in drawn(session, run, 2)}
            for run in ("traced", "again")
        ]
        assert names[0] == names[1]
        assert len(names[0]) == 4
        assert set(drawn(session, "traced", 2)) < set(drawn(session, "traced", 3))


def test_a_page_opens_with_them_and_another_run_shares_them(store: Store, loaded: LoadedIndex) -> None:
    """What a step does to an answer does not depend on who retrieved the passage; nor does the control."""
    assert take_ahead(store, loaded, results(store, "traced"), page_seconds=60, per_lane=3) > 0
    before = taken(store)
    with store.session() as session:
        for id_ in results(store, "traced"):
            found = steps.steps_of(session, steps.of_result(id_))
            assert found is not None
            assert found.whole
    assert take_ahead(store, loaded, results(store, "again"), page_seconds=60, per_lane=3) == 0
    assert take_ahead(store, loaded, results(store, "traced"), page_seconds=60, per_lane=3) == 0
    assert taken(store) == before


def test_every_page_that_the_front_page_leads_to_opens_with_them(
    store: Store, loaded: LoadedIndex, settings: Settings
) -> None:
    """Whoever comes for the first time clicks there first, and is not to wait; also where what was said is explained."""
    with store.session() as session:
        run, beside = (get_run(session, slug) for slug in ("traced", "again"))
        beside.beside_id, beside.explains = run.id, "said"
        prompts = list_prompts(session, run.prompt_set_id)
        for prompt in prompts:
            right = prompt.task != "fact"
            session.add(
                Output(prompt_id=prompt.id, model_id=run.model_id, answer="Rome", said=" Rome", correct=right)
            )
    with store.session() as session:
        shown = on_front_page(session, ["traced", "again"])
    assert take_ahead(store, loaded, shown, page_seconds=60, per_lane=2) > 0
    with site(settings.url, settings.home) as client:
        shelves = client.get("/index.json").json()["shelves"]
        pages = [item["url"] for shelf in shelves for item in shelf["items"]]
        assert len(pages) == len(PROMPTS)
        for url in pages:
            page = client.get(url).json()
            assert [lane["name"] for lane in page["evidence"]["lanes"]] == list(steps.LANES), url
            assert not page["filling"]


def test_a_file_of_them_is_enough_elsewhere(
    store: Store, loaded: LoadedIndex, settings: Settings, tmp_path: Path
) -> None:
    """Another home numbers its passages otherwise and ranks otherwise: what it lacks is taken, nothing else."""
    ids = results(store, "traced")
    take_ahead(store, loaded, ids, page_seconds=60, per_lane=3)
    file, sha = tmp_path / "steps.jsonl.gz", loaded.index.manifest.model.sha256
    with store.session() as session:
        written = write_steps(session, get_corpus(session, "demo"), sha, ids, file)
    assert written == taken(store)
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}", migrate=True)
    with other.session() as session, store.session() as first:
        add_corpus(session, "unrelated", [PassageRecord("a", "A text.")])
        texts = first.execute(select(Passage.external_id, Passage.text).order_by(Passage.position)).all()
        corpus = add_corpus(session, "demo", [PassageRecord(*row) for row in texts])
        assert read_steps(session, corpus, sha, file) == written
        assert read_steps(session, corpus, sha, file) == written  # again changes nothing
    fill(other, 2)
    there = open_loaded(settings, other, "demo", device="cpu")
    new = take_ahead(other, there, results(other, "traced"), page_seconds=60, per_lane=3)
    assert 0 < new < written / 2
    assert taken(other) == written + new
    again = tmp_path / "again.jsonl.gz"
    with store.session() as session:
        write_steps(session, get_corpus(session, "demo"), sha, ids, again)
    assert again.read_bytes() == file.read_bytes()
    other.engine.dispose()


def test_steps_of_another_model_or_corpus_are_refused(
    store: Store, loaded: LoadedIndex, tmp_path: Path
) -> None:
    file, sha = tmp_path / "steps.jsonl.gz", loaded.index.manifest.model.sha256
    with store.session() as session:
        corpus = get_corpus(session, "demo")
        write_steps(session, corpus, sha, [], file)
        with pytest.raises(UserError, match="not of this model"):
            read_steps(session, corpus, "0" * 64, file)
        other = add_corpus(session, "other", [PassageRecord("a", "A text.")])
        with pytest.raises(UserError, match="the corpus “other”"):
            read_steps(session, other, sha, file)
        file.write_bytes(b"no gzip")
        with pytest.raises(UserError, match="no file of steps"):
            read_steps(session, corpus, sha, file)


def test_the_command_takes_them_and_names_what_it_cannot(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STARTRAIL_HOME", str(settings.home))
    file = tmp_path / "steps.jsonl.gz"
    done = CliRunner().invoke(app, ["steps", "traced", "--per-task", "1", "--save", str(file)])
    assert done.exit_code == 0, done.output
    assert "steps taken" in done.output
    with store.session() as session:
        ready = [steps.has_steps(session, steps.of_result(id_)) for id_ in on_front_page(session, ["traced"])]
        assert ready
        assert all(ready)
    again = CliRunner().invoke(app, ["steps", "traced,again", "--per-task", "1", "--load", str(file)])
    assert "0 steps taken" in again.output
    with store.session() as session:
        model, corpus = register_model(session, "demo"), get_corpus(session, "demo")
        (own,) = {prompt.prompt_set for prompt in list_prompts(session, 1)}
        add_run(session, "imported", "loaded", model, corpus, own, 0, slug="loaded")
    odd = CliRunner().invoke(app, ["steps", "loaded"])
    assert odd.exit_code == 2
    assert "one index of this machine" in odd.output
