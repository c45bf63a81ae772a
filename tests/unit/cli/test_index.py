"""`startrail index` and `startrail reindex`, as typed."""

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.retrieval.search import open_search, part_of
from app.settings import get_settings
from app.store.corpora import list_corpora
from app.store.engine import open_store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Passage
from app.trackstar.index import open_index
from app.words.partial import SearchedPart
from tests.support import tiny

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STARTRAIL_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    yield tmp_path / "home"
    get_settings.cache_clear()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.jsonl"
    file.write_text(
        "".join(json.dumps({"id": f"p{n}", "text": text}) + "\n" for n, text in enumerate(tiny.MANY))
    )
    return file


def startrail(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_file_becomes_a_corpus_of_the_store_and_an_index(
    home: Path, corpus: Path, checkpoints: Callable[..., Path]
) -> None:
    """Row r of the index is the passage at position r, so that pages can show its text."""
    model = checkpoints("llama")
    result = startrail("index", model, corpus, "--name", "tiny", "--projection-dim", 3)
    assert result.exit_code == 0, result.output
    assert "λ = 0" in result.output
    index = open_index(home / "indexes" / "tiny")
    assert index.passage_ids == [f"p{n}" for n in range(len(tiny.MANY))]
    assert index.manifest.model.name == model.name
    assert (home / "models" / model.name / "config.json").is_file()

    # By name now: the store has the corpus, HOME has the model; the file again is the same corpus.
    for source in ("tiny", corpus):
        again = startrail("index", model.name, source, "--name", "tiny", "--projection-dim", 3, "--overwrite")
        assert again.exit_code == 0, again.output
    assert open_index(home / "indexes" / "tiny").manifest == index.manifest
    assert model.name in startrail("model", "list").output


def test_a_corpus_grows_and_its_index_with_it(
    home: Path, corpus: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """The old ones stay as they are: runs were made over them. Numbers go on after the old ids."""
    model = checkpoints("llama")
    built = startrail("index", model, corpus, "--name", "old", "--projection-dim", 3, "--index", "exact")
    assert built.exit_code == 0, built.output
    more = tmp_path / "more.txt"
    more.write_text("A fox came by.\nThe river was cold.\n")
    added = startrail("corpus", "add", more, "--name", "grown", "--after", "tiny")
    assert added.exit_code == 0, added.output
    assert f"{len(tiny.MANY) + 2} passages" in added.output
    result = startrail("index", model.name, "grown", "--append", "old")
    assert result.exit_code == 0, result.output
    assert "2 passages by the V and R" in result.output
    index = open_index(home / "indexes" / f"{model.name}-grown")
    assert index.passage_ids == [f"p{n}" for n in range(len(tiny.MANY))] + [
        str(len(tiny.MANY)),
        str(len(tiny.MANY) + 1),
    ]
    with open_store(get_settings().url) as store, store.session() as session:
        assert [each.sha256 for each in list_corpora(session) if each.name == "grown"] == [
            index.manifest.corpus.sha256
        ]

    twice = startrail("corpus", "add", corpus, "--name", "twice", "--after", "tiny")
    assert twice.exit_code == 2
    assert "has the id “p0” already" in twice.output
    other = startrail("index", model.name, "grown", "--append", "old", "--projection-dim", 4, "--overwrite")
    assert other.exit_code == 2
    assert "append" in other.output


def test_the_chosen_kind_of_search_is_in_the_manifest_and_is_used(
    home: Path, corpus: Path, checkpoints: Callable[..., Path]
) -> None:
    """Traces and runs search as the index says; the trained file is made once, and watched like the rows."""
    result = startrail("index", checkpoints("llama"), corpus, "--name", "small", "--index", "rabitq2")
    assert result.exit_code == 0, result.output
    assert "rabitq2 (FAISS IndexRaBitQ" in result.output.replace("\n", " ")
    index = open_index(home / "indexes" / "small")
    assert index.manifest.search == {
        "kind": "rabitq2",
        "faiss": "IndexRaBitQ",
        "candidates": 100,
        "recall": 1.0,
        "file": "rabitq2/manifest.json",
    }
    assert open_search(index).kind == "rabitq2"
    assert open_search(index, "exact").kind == "exact"
    codes = home / "indexes" / "small" / "rabitq2" / "codes-00000.npy"
    codes.write_bytes(codes.read_bytes()[:-1] + b"\0")
    verified = startrail("index", "--verify", "small")
    assert verified.exit_code == 2
    assert "codes-00000.npy: This file of the index is damaged" in verified.output.replace("\n", "")


def test_lists_are_made_of_an_index_that_is_there_and_say_what_they_find(
    home: Path, corpus: Path, checkpoints: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are measured with questions; passages that come later are put in lists too, measured with the same."""
    monkeypatch.setattr("app.retrieval.lists.LEAST", 20)
    monkeypatch.setattr("app.retrieval.lists.LEAST_ASKED", 4)
    monkeypatch.setattr("app.retrieval.codes.MOST", 1.0)
    model = checkpoints("llama")
    early = startrail("index", model, corpus, "--name", "small", "--index", "lists")
    assert early.exit_code == 2
    assert "reindex NAME --index lists --prompts SET" in early.output.replace("\n", " ")
    assert startrail("index", model, corpus, "--name", "small").exit_code == 0
    with open_store(get_settings().url).session() as session:
        asked = [PromptRecord(f"q{n}", text.rsplit(" ", 1)[0], "so") for n, text in enumerate(tiny.TEXTS)]
        add_prompts(session, "asked", asked)
    missing = startrail("reindex", "small", "--index", "lists")
    assert missing.exit_code == 2
    assert "measured with questions" in missing.output.replace("\n", " ")
    needless = startrail("reindex", "small", "--index", "rabitq2", "--prompts", "asked")
    assert needless.exit_code == 2
    assert "“rabitq2” is measured with rows" in needless.output.replace("\n", " ")
    made = startrail("reindex", "small", "--index", "lists", "--prompts", "asked")
    assert made.exit_code == 0, made.output
    part = SearchedPart(**open_index(home / "indexes" / "small").manifest.search["part"])
    assert part.said in " ".join(made.output.split())
    assert "are what its manifest says" in startrail("index", "--verify", "small").output
    grown = corpus.with_name("grown.jsonl")
    grown.write_text("".join(json.dumps({"id": f"g{n}", "text": f"Sun {n}."}) + "\n" for n in range(5)))
    assert startrail("corpus", "add", grown, "--name", "grown", "--after", "tiny").exit_code == 0
    longer = startrail("index", model, "grown", "--append", "small", "--name", "longer")
    assert longer.exit_code == 0, longer.output
    assert part_of(open_search(open_index(home / "indexes" / "longer"))) is not None
    assert "Proponents were looked for in a part" in " ".join(longer.output.replace("│", " ").split())


def test_weights_that_had_to_be_told_once_need_not_be_told_again(
    home: Path, corpus: Path, checkpoints: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An architecture whose MLP has a name of its own: the index keeps what was said, for all that reads it."""
    monkeypatch.setattr("app.models.weights.MLP", re.compile("$^"))
    monkeypatch.setenv("STARTRAIL_DEFAULT_INDEX", "told")
    asked = corpus.with_name("asked.jsonl")
    asked.write_text(json.dumps({"id": "one", "prompt": "The capital of France is", "target": "Paris"}))
    for command in (
        (
            "index",
            checkpoints("llama"),
            corpus,
            "--name",
            "told",
            "--projection-dim",
            3,
            "--weights",
            "mlp=mlp",
        ),
        ("prompts", "add", asked, "--name", "asked", "--corpus", "tiny"),
        ("retrieve", "told", "--prompts", "asked"),
        ("ablate", "told", "--prompts", "asked", "--lambdas", "", "--no-baselines"),
        ("trace", "The capital of France is", " Paris"),
    ):
        result = startrail(*command)
        assert result.exit_code == 0, result.output


def test_a_model_without_an_optimizers_state_is_ablated_by_the_v_of_its_index(
    home: Path, corpus: Path, checkpoints: Callable[..., Path]
) -> None:
    """It was refused: V was looked for beside the weights, where a model from a hub has none."""
    asked = corpus.with_name("asked.jsonl")
    asked.write_text(json.dumps({"id": "one", "prompt": "The capital of France is", "target": "Paris"}))
    for command in (
        ("index", checkpoints("llama", None), corpus, "--name", "bare", "--projection-dim", 3),
        ("prompts", "add", asked, "--name", "asked", "--corpus", "tiny"),
        ("ablate", "bare", "--prompts", "asked", "--lambdas", "", "--dampings", "0.1", "--no-baselines"),
    ):
        result = startrail(*command)
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonesuch", "CORPUS"], "There is no model 'nonesuch'"),
        (["MODEL", "nowhere.jsonl"], "nowhere.jsonl"),
        (["MODEL", "CORPUS", "--method", "magic"], "no method by gradients called 'magic'"),
        (["MODEL", "CORPUS", "--method", "trackstar"], "--task-prompts"),
        (["MODEL", "CORPUS", "--groups", "9"], "2 layers cannot be cut into 9 groups"),
        (["MODEL", "CORPUS", "--weights", "mlp"], "PATTERN=KIND"),
        (["MODEL", "CORPUS", "--dtype", "int4"], "no compute type"),
        (["MODEL", "CORPUS", "--index", "tree"], "no index kind “tree”"),
        (["MODEL", "CORPUS", "--index", "pq"], "“pq” is no longer made"),
        (["--verify", "nowhere"], "There is no index at"),
        (["MODEL", "CORPUS", "--moments", "guessed"], "optimizer or estimated"),
        (["MODEL", "CORPUS", "--method", "trackstar", "--task-prompts", "none"], "no prompt set “none”"),
        (["MODEL", "CORPUS", "--task-prompts", "facts"], "This method has no R_eval"),
        (["MODEL", "CORPUS", "--method", "trak", "--mixing", "0.5"], "This method has no R_eval"),
        (["MODEL", "CORPUS", "--name", "a/b"], "'a/b' cannot be an index's name"),
        (["MODEL", "CORPUS", "--name", ".", "--overwrite"], "'.' cannot be an index's name"),
        (["MODEL", "CORPUS", "--corpus-name", "allenai/c4"], "allenai/c4' cannot be an index's name"),
    ],
)
def test_mistakes_are_one_error_line_and_exit_code_2(
    home: Path, corpus: Path, checkpoints: Callable[..., Path], arguments: Any, message: str
) -> None:
    known = {"MODEL": checkpoints("llama"), "CORPUS": corpus}
    result = startrail("index", *(known.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not list((home / "indexes").glob("[!.]*"))


def test_a_tables_dates_and_missing_numbers_come_along_as_json(
    home: Path, corpus: Path, checkpoints: Callable[..., Path]
) -> None:
    """C4 in Parquet has a timestamp: kept beside the passage as `corpus add` keeps it."""
    table = corpus.with_name("web.parquet")
    columns = {"text": tiny.TEXTS[:2], "timestamp": [datetime(2019, 4, 25, 12)] * 2, "score": [0.5, math.nan]}
    pq.write_table(pa.table(columns), table)
    result = startrail("index", checkpoints("llama"), table, "--projection-dim", 1)
    assert result.exit_code == 0, result.output
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        kept = session.scalars(select(Passage.meta).order_by(Passage.position)).all()
    store.engine.dispose()
    assert kept == [{"timestamp": "2019-04-25 12:00:00", "score": score} for score in (0.5, None)]


def test_a_bad_line_of_the_corpus_leaves_no_corpus_behind(
    home: Path, corpus: Path, checkpoints: Callable[..., Path]
) -> None:
    with corpus.open("a") as stream:
        stream.write("{broken\n")
    result = startrail("index", checkpoints("llama"), corpus)
    assert result.exit_code == 2
    assert f"{corpus}:{len(tiny.MANY) + 1}" in result.output.replace("\n", "")
    assert "There is no corpus" in startrail("index", checkpoints("llama"), "tiny").output


def test_another_file_of_the_same_name_is_not_taken_for_the_corpus(
    home: Path, corpus: Path, checkpoints: Callable[..., Path]
) -> None:
    startrail("index", checkpoints("llama"), corpus, "--projection-dim", 3)
    corpus.write_text('{"text": "something else"}\n')
    result = startrail("index", checkpoints("llama"), corpus, "--name", "two")
    assert result.exit_code == 2
    assert "another corpus called 'tiny'" in result.output


def test_a_small_corpus_has_blocks_that_r_can_be_fitted_to(
    home: Path, corpus: Path, checkpoints: Callable[..., Path]
) -> None:
    """Said where it is changed, refused where it was asked for: never fitted to noise without a word."""
    made = startrail("index", checkpoints("llama"), corpus, "--name", "few")
    assert "in place of 32" in made.output
    manifest = open_index(home / "indexes" / "few").manifest
    assert 2 * manifest.method.block_size <= manifest.passages
    asked = startrail("index", checkpoints("llama"), corpus, "--name", "asked", "--projection-dim", 32)
    assert asked.exit_code == 2
    assert "fewer than the 1,024 numbers" in asked.output
    assert not (home / "indexes" / "asked").exists()
    plain = ("--projection-dim", 32, "--method", "+V")
    assert startrail("index", checkpoints("llama"), corpus, "--name", "asked", *plain).exit_code == 0
