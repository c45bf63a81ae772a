"""TrackStar finds, EK-FAC decides: the list is the candidates', its order that of their exact influence."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from app.curvature.deciding import CANDIDATES
from app.curvature.fit import read_curvature
from app.curvature.influence import influences, preconditioned
from app.errors import UserError
from app.models.capture import Capture
from app.retrieval.search import open_search
from app.runs.building import Build, fit_beside
from app.runs.building_corpus import stored_corpus
from app.runs.index_care import verify
from app.runs.inputs import RunInputs, open_inputs
from app.runs.retrieve import retrieve
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Passage, Result, Retrieved
from app.trackstar.config import EncodingConfig
from tests.support.asking import made_home, passages, put_corpus, settings_of

pytestmark = pytest.mark.slow

METHOD = "trackstar+ekfac"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of our own, for factors are written beside the index."""
    shutil.copytree(made_home(), tmp_path / "home", ignore=shutil.ignore_patterns("*.db*"))
    return tmp_path / "home"


def inputs_of(store: Store, session, url: str, home: Path) -> RunInputs:  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
    records = [
        PromptRecord("one", "The capital of Mali is", "Bamako"),
        PromptRecord("two", "Two and two make", "four", task="arithmetic"),
    ]
    add_prompts(session, "asked", records, corpus=get_corpus(session, "demo"))
    return open_inputs(session, settings_of(home, url), "demo", "asked")


def test_candidates_stand_in_the_order_of_their_exact_influence(
    store: Store, database_url: str, home: Path
) -> None:
    """And of no other passage is anything said, however high its influence might be."""
    put_corpus(store)
    with store.session() as session:
        inputs = inputs_of(store, session, database_url, home)
        run = retrieve(session, inputs, METHOD, slug="both", k=12)
        rows = session.execute(
            select(Result.position, Passage.position, Retrieved.score)
            .join(Retrieved, Retrieved.result_id == Result.id)
            .join(Passage, Passage.id == Retrieved.passage_id)
            .where(Result.run_id == run.id)
            .order_by(Result.position, Retrieved.rank)
        ).all()
        assert run.configuration["candidates"] == CANDIDATES
        factors = read_curvature(inputs.index.path / "curvature", inputs.loaded)
        queries = inputs.queries
        encoded = inputs.index.encoder(inputs.loaded).encode_queries(queries)
        _, near = open_search(inputs.index).search(encoded, CANDIDATES)
    capture = Capture(inputs.loaded)
    examples = inputs.loaded.texts.passages([text for _, text in passages()])
    for at, query in enumerate(queries):
        direction = preconditioned(capture, factors, inputs.loaded.texts.query(query))
        alone = [float(influences(capture, direction, [examples[row]])[0]) for row in near[at]]
        best = np.argsort(-np.array(alone), kind="stable")[:12]
        own = [(row, score) for position, row, score in rows if position == at]
        assert [row for row, _ in own] == [int(near[at][n]) for n in best]
        assert [score for _, score in own] == pytest.approx([alone[n] for n in best], rel=1e-4)


def test_factors_that_were_damaged_or_are_another_models_are_refused(
    store: Store, database_url: str, home: Path
) -> None:
    """`startrail index --verify` said that all files were well, and had not looked at these."""
    put_corpus(store)
    with store.session() as session:
        inputs = inputs_of(store, session, database_url, home)
        retrieve(session, inputs, METHOD, slug="both", k=3)
    place = inputs.index.path
    files = sorted((place / "curvature").glob("*.safetensors"))
    assert verify(place) == len(inputs.index.checksums.wanted) + len(files)
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    with pytest.raises(UserError) as damaged:
        verify(place)
    assert files[0].name in str(damaged.value)
    manifest = place / "curvature" / "curvature.json"
    manifest.write_text(manifest.read_text().replace(inputs.loaded.sha256, "0" * 64))
    with pytest.raises(UserError, match="another model"), store.session() as session:
        retrieve(
            session, open_inputs(session, settings_of(home, database_url), "demo", "asked"), METHOD, slug="x"
        )


def test_a_run_takes_the_factors_that_were_fitted_with_the_index(
    store: Store, database_url: str, home: Path
) -> None:
    """`startrail index --rerank ekfac`: both draw one sample, so that nothing is fitted twice."""
    put_corpus(store)
    settings, how = settings_of(home, database_url), Build(EncodingConfig(), rerank="ekfac")
    how.check()
    fit_beside(settings, stored_corpus(store, "demo"), settings.indexes / "demo", how)

    def files() -> dict[str, int]:
        found = (settings.indexes / "demo" / "curvature").glob("*.safetensors")
        return {file.name: file.stat().st_mtime_ns for file in found}

    before = files()
    with store.session() as session:
        retrieve(session, inputs_of(store, session, database_url, home), METHOD, slug="both", k=3)
    assert files() == before
    assert before
    with pytest.raises(UserError, match="rerank"):
        Build(EncodingConfig(), rerank="kfac").check()


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        ({"rerank_damping": "0.1"}, "rerank_damping", "--rerank ekfac"),
        ({"rerank_labels": "text"}, "rerank_labels", "--rerank ekfac"),
        ({"rerank": "ekfac", "rerank_labels": "guess"}, "rerank_labels", "model or text"),
        *(
            ({"rerank": "ekfac", "rerank_damping": value}, "rerank_damping", "or search")
            for value in ("0", "-1", "nan", "inf", "much")
        ),
    ],
)
def test_what_is_asked_of_the_factors_is_refused_before_anything_is_read(
    asked: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(UserError) as refused:
        Build(EncodingConfig(), **asked).check()
    assert refused.value.field == field
    assert said in (refused.value.remedy or "")


def test_a_damping_that_was_asked_for_or_searched_is_kept_and_fits_nothing_again(
    store: Store, database_url: str, home: Path
) -> None:
    put_corpus(store)
    settings, index = settings_of(home, database_url), home / "indexes" / "demo"
    corpus = stored_corpus(store, "demo")
    how = Build(EncodingConfig(), rerank="ekfac", rerank_labels="text", rerank_damping="0.4")
    first = fit_beside(settings, corpus, index, how)
    assert {each.damping for each in first.values()} == {0.4}
    files = {file: file.read_bytes() for file in (index / "curvature").glob("*.safetensors")}
    with store.session() as session:
        inputs = inputs_of(store, session, database_url, home)
        run = retrieve(session, inputs, METHOD, slug="both", k=3)
        assert run.configuration["curvature"] == {
            "labels": "text",
            "passages": len(passages()),
            "seed": 0,
            "damping": 0.4,
        }
    assert {file: file.read_bytes() for file in files} == files
    with pytest.raises(UserError, match="No passage is left"):  # all of so small a corpus are in the fit
        fit_beside(settings, corpus, index, Build(EncodingConfig(), rerank="ekfac", rerank_damping="search"))
