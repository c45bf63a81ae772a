"""An audit against brute force: each way's scores worked out passage by passage, and what was planted found."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.curvature.fit import fit_curvature
from app.errors import NotFound, UserError
from app.evaluation.audited import CorpusAudit, read_audit, write_audit
from app.models.load import load_model
from app.models.text import Query
from app.runs.auditing import scores as scoring
from app.runs.auditing.asked import Looking, index_of
from app.runs.auditing.audit import audit, spread_of
from app.runs.auditing.listing import audit_place, listed
from app.settings import Settings
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store, open_store
from app.trackstar.build import build_index
from app.trackstar.config import EncodingConfig
from app.trackstar.index import open_index
from app.words.auditing import MAX, OWN, OWN_EXACT
from app.words.methods import BM25, EKFAC, TRACKSTAR, TWO_STAGES
from tests.support import tiny
from tests.support.asking import settings_of

PLANTED = "The door of the old mill is violet, violet and violet."
TEXTS = [*tiny.MANY[:6], PLANTED, *tiny.MANY[6:14], "", PLANTED]
OUTPUTS = [("a", "The door of the old mill is", "violet"), ("b", "Berlin is a city in", "Germany")]


@pytest.fixture(scope="module")
def looked(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: Callable[..., Path]
) -> Iterator[tuple[Settings, Store, Path]]:
    """A home whose corpus says the same wrong thing twice, with an index and factors, and the outputs in a file."""
    home = tmp_path_factory.mktemp("audited")
    settings = settings_of(home)
    shutil.copytree(checkpoints("llama"), settings.models / "m")
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        add_corpus(session, "c", [PassageRecord(f"p{at}", text) for at, text in enumerate(TEXTS)])
    passages = [(f"p{at}", text) for at, text in enumerate(TEXTS)]
    build_index(
        settings.models / "m",
        passages,
        settings.indexes / "i",
        method=EncodingConfig(projection_dim=3),
        corpus_name="c",
        shard_rows=7,
    )
    loaded = load_model(settings.models / "m")
    fit_curvature(loaded, loaded.texts.passages(tiny.TEXTS), settings.indexes / "i" / "curvature")
    file = home / "outputs.jsonl"
    file.write_text(
        "".join(
            json.dumps({"id": id_, "prompt": prompt, "target": target}) + "\n"
            for id_, prompt, target in OUTPUTS
        )
    )
    yield settings, store, file
    store.engine.dispose()


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores must not depend on where the corpus is cut."""
    monkeypatch.setattr(scoring, "MOST", 5)


def found(looked: tuple[Settings, Store, Path], *ways: str, over: str = "sum", **how: int) -> CorpusAudit:
    settings, store, file = looked
    outputs = "" if set(ways) <= {OWN, OWN_EXACT} and ways else str(file)
    return audit(settings, store, "c", outputs, Looking(ways, over, **{"k": 99, **how}), "again")


def scores_by(looked: tuple[Settings, Store, Path], way: str, over: str) -> dict[int, float]:
    (ranking,) = found(looked, way, over=over).rankings
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
    return dict(zip(ranking.rows, ranking.scores, strict=True))


def test_self_influence_is_the_square_of_the_encodings_length(looked: tuple[Settings, Store, Path]) -> None:
    """Before it is made one: the index's rows do not have it any more."""
    settings, _, _ = looked
    index = open_index(settings.indexes / "i")
    encoder = index.encoder(load_model(settings.models / "m"))
    gradients = encoder.gradients(encoder.model.texts.passages(TEXTS))
    expected = encoder.whiten(gradients).double().square().sum(1)
    outcome = found(looked, OWN)
    ours = dict(zip(outcome.rankings[0].rows, outcome.rankings[0].scores, strict=True))
    assert ours.keys() == set(range(len(TEXTS))) - {15}, "a blank passage has none"
    for row, score in ours.items():
        assert score == pytest.approx(float(expected[row]), rel=1e-4)
    assert sum(outcome.spread.counts) == len(TEXTS) - 1
    assert outcome.spread.nothing == 1
    (first,) = found(looked, OWN_EXACT, exact=3).rankings
    assert set(first.rows) == set(list(outcome.rankings[0].rows)[:3]), "the first ones only"


def test_rows_that_kept_their_lengths_are_not_encoded_again(
    looked: tuple[Settings, Store, Path], tmp_path: Path
) -> None:
    settings, _, _ = looked
    method = EncodingConfig.preset("gradient-dot", projection_dim=3)
    build_index(
        settings.models / "m", [(str(n), text) for n, text in enumerate(TEXTS)], tmp_path / "i", method=method
    )
    index, loaded = open_index(tmp_path / "i"), load_model(settings.models / "m")
    lazy = scoring.LookedThrough(index, loaded, lambda: pytest.fail("the passages were read"))
    ours = scoring.own_lengths(lazy, lambda done, total: None)
    gradients = index.encoder(loaded).gradients(loaded.texts.passages(TEXTS)).double()
    assert ours == pytest.approx(gradients.square().sum(1).numpy(), rel=5e-3)  # float16


@pytest.mark.parametrize(("over", "together"), [("sum", np.sum), (MAX, np.max)])
def test_each_way_gives_what_single_outputs_give_together(
    looked: tuple[Settings, Store, Path], over: str, together: Callable[..., np.ndarray]
) -> None:
    from app.curvature.deciding import deciding_beside
    from app.curvature.influence import influences

    settings, _, _ = looked
    index, loaded = open_index(settings.indexes / "i"), load_model(settings.models / "m")
    queries = [Query.of_target(prompt, target) for _, prompt, target in OUTPUTS]
    rows = index.take(np.arange(len(TEXTS)))
    cosines = together(rows @ index.encoder(loaded).encode_queries(queries).T, axis=1)
    second = deciding_beside(index.path, loaded)
    assert second is not None
    passages = loaded.texts.passages(TEXTS)
    exact = together(
        [
            influences(second.capture, second.direction(loaded.texts.query(query)), passages).numpy()
            for query in queries
        ],
        axis=0,
    )
    for way, expected in ((TRACKSTAR, cosines), (EKFAC, exact), (TWO_STAGES, exact)):
        ours = scores_by(looked, way, over)
        assert ours.keys() == set(range(len(TEXTS))) - {15}
        assert list(ours.values()) == pytest.approx(
            [float(expected[row]) for row in ours], rel=1e-3, abs=1e-5
        )


def test_planted_passages_come_first_by_words_and_by_influence(looked: tuple[Settings, Store, Path]) -> None:
    settings, store, file = looked
    lines = file.read_text().splitlines()[:1]
    only = file.with_name("planted.jsonl")
    only.write_text(lines[0] + "\n")
    outcome = audit(settings, store, "i", str(only), Looking(k=2), "again")
    assert [each.by for each in outcome.rankings] == [OWN, OWN_EXACT, TRACKSTAR, TWO_STAGES, BM25]
    for each in outcome.rankings[2:]:
        assert set(each.rows) == {6, 16}, each.by
        assert set(each.ids) == {"p6", "p16"}
    assert {row.text for row in listed(store, outcome) if row.by == BM25} == {PLANTED}


def test_an_outcome_is_read_as_it_was_written_and_holds_no_text(
    looked: tuple[Settings, Store, Path], tmp_path: Path
) -> None:
    """What is taken down from the corpus must not live on in a file."""
    outcome = found(looked, OWN, TRACKSTAR)
    write_audit(outcome, tmp_path / "audits" / "a.json")
    assert read_audit(tmp_path / "audits" / "a.json") == outcome
    assert "violet, violet" not in (tmp_path / "audits" / "a.json").read_text()
    (tmp_path / "b.json").write_text('{"about": {}}')
    with pytest.raises(UserError, match="no outcome of startrail audit"):
        read_audit(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("how", "outputs", "words"),
    [
        (Looking(("mirror",)), "", "'mirror' is not known"),
        (Looking((TRACKSTAR,)), "", "Name them with --outputs"),
        (Looking(over="mean"), "x", "'mean' is not known"),
        (Looking((OWN,)), "x", "asks for no outputs"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_read(
    how: Looking, outputs: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        how.check(outputs)


def test_names_that_lead_nowhere_are_named(looked: tuple[Settings, Store, Path]) -> None:
    settings, store, _ = looked
    assert (index_of(settings, "i"), index_of(settings, "c")) == ("i", "i")
    with pytest.raises(NotFound, match="There are: i"):
        index_of(settings, "moon")
    with pytest.raises(NotFound, match="no prompt set"):
        audit(settings, store, "c", "nowhere.jsonl", Looking(), "again")
    with pytest.raises(NotFound, match="--rerank ekfac"):
        Looking((EKFAC,)).chosen(outputs=True, factors=False)
    with pytest.raises(UserError, match="without slashes"):
        audit_place(settings, "../elsewhere")


def test_a_spread_of_nothing_or_of_one_value_is_one() -> None:
    assert spread_of(np.zeros(3)).nothing == 3
    assert list(spread_of(np.array([2.0, 2.0, 0.0])).counts) == [2]
