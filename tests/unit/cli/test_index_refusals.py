"""What people get wrong, as typed: one clear line and exit code 2, or a counted treatment; nothing half-written."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.models.load import load_model
from app.retrieval.search import open_search
from app.settings import get_settings
from app.store.engine import open_store
from app.store.runs import get_run
from app.store.tables import Corpus, Output, Run
from app.store.work_tables import Trace
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.index import TrackstarIndex, build_index, open_index
from app.trackstar.manifest import IndexManifest
from app.trackstar.shards import open_shards, write_shard
from tests.support import tiny

PASSAGES = [
    *({"id": f"p{n}", "text": text} for n, text in enumerate(tiny.TEXTS)),
    {"id": "blank", "text": " \n"},
    {"id": "long", "text": " ".join(tiny.TEXTS)},
]
INDEX = ("--projection-dim", 3, "--shard-rows", 4)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, checkpoints: Callable[..., Path]) -> tuple[Path, str]:
    """A home with model, corpus, prompts and the index `tiny`, made by the commands; and what `index` printed."""
    place = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        at_home(place / "home", patch)
        shutil.copytree(checkpoints("llama"), place / "home" / "models" / "m")
        printed = startrail("index", "m", written(place / "tiny.jsonl"), "--name", "tiny", *INDEX)
        prompts = place / "asked.jsonl"
        asked = {"id": "one", "prompt": "The capital of France is", "target": "Paris"}
        prompts.write_text(json.dumps(asked) + "\n")
        added = startrail("prompts", "add", prompts, "--name", "asked", "--corpus", "tiny")
    get_settings.cache_clear()
    assert (printed.exit_code, added.exit_code) == (0, 0), printed.output + added.output
    return place / "home", " ".join(printed.output.split())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home."""
    at_home(tmp_path / "home", monkeypatch)
    yield tmp_path / "home"
    get_settings.cache_clear()


@pytest.fixture
def whole(home: Path, filled: tuple[Path, str]) -> Path:
    """A copy of the filled home, to be damaged."""
    shutil.copytree(filled[0], home)
    return home


def at_home(home: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("STARTRAIL_HOME", str(home))
    patch.setenv("STARTRAIL_DEVICE", "cpu")
    patch.setenv("STARTRAIL_DEFAULT_INDEX", "tiny")
    patch.setenv("STARTRAIL_DEFAULT_MODEL", "m")
    patch.delenv("STARTRAIL_DATABASE_URL", raising=False)
    get_settings.cache_clear()


def written(file: Path, *more: str) -> Path:
    file.write_text("".join(f"{line}\n" for line in [*map(json.dumps, PASSAGES), *more]))
    return file


def startrail(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result: Result, *words: str) -> None:
    """One line of error that has the words, exit code 2, no traceback."""
    assert result.exit_code == 2, result.output
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.output
    assert all(word in errors[0] for word in words), errors[0]
    assert "Traceback" not in result.output


def kept(home: Path, table: type) -> int:
    """Rows of a table of the store."""
    store = open_store(f"sqlite:///{home / 'startrail.db'}", migrate=True)
    with store.session() as session:
        count = session.scalar(select(func.count()).select_from(table))
    store.engine.dispose()
    return count or 0


def directories(home: Path) -> list[str]:
    """Models and indexes, finished or half made."""
    return sorted(
        path.name for room in ("models", "indexes") for path in (home / room).glob("*") if path.is_dir()
    )


def test_blank_and_long_passages_are_counted_said_and_not_found(filled: tuple[Path, str]) -> None:
    """A stated treatment instead of an error: real corpora have both."""
    home, printed = filled
    assert "1 blank (zero rows, never found), 1 cut at the context" in printed
    index = open_index(home / "indexes" / "tiny")
    assert (index.manifest.counts["empty"], index.manifest.counts["cut"]) == (1, 1)
    query = np.concatenate(index.rows)[:1].astype(np.float32)
    for opponents in (False, True):
        _, rows = open_search(index).search(query, len(PASSAGES), opponents=opponents)
        assert sorted(rows[0].tolist()) == [-1, *range(8), 9]


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("tokenizer.json", None, "has no tokenizer"),
        ("model.safetensors", None, "holds no weights"),
        ("model.safetensors", b"rubbish", "cannot be loaded"),
        ("tokenizer.json", b"{", "tokenizer in"),
        ("config.json", None, "no model"),
    ],
)
def test_a_broken_model_directory_leaves_nothing_behind(
    home: Path, tmp_path: Path, checkpoints: Callable[..., Path], file: str, content: bytes | None, words: str
) -> None:
    """Not even the link in HOME/models, by which the site would offer it; missing files are seen before all else."""
    model = tmp_path / "broken"
    shutil.copytree(checkpoints("llama"), model)
    (model / file).unlink()
    if content is not None:
        (model / file).write_bytes(content)
    refused(startrail("index", model, written(tmp_path / "tiny.jsonl"), *INDEX), words, "broken")
    assert directories(home) == []
    if content is None:
        assert kept(home, Corpus) == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "The line is not JSON"),
        ('["a list"]', "a list, not a JSON object"),
        ('{"id": "x"}', "There is no text"),
        ('{"id": "p0", "text": "again"}', "stands on line 1 already"),
    ],
)
def test_a_bad_line_of_a_corpus_is_named_and_nothing_of_the_corpus_stays(
    home: Path, tmp_path: Path, checkpoints: Callable[..., Path], line: str, words: str
) -> None:
    file = written(tmp_path / "tiny.jsonl", line)
    refused(startrail("index", checkpoints("llama"), file, *INDEX), f"{file}:{len(PASSAGES) + 1}", words)
    assert directories(home) == []
    assert kept(home, Corpus) == 0


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_one_damaged_model_does_not_hide_the_others(whole: Path, name: str) -> None:
    shutil.copytree(whole / "models" / "m", whole / "models" / "torn")
    (whole / "models" / "torn" / name).write_text("{")
    listed = startrail("model", "list")
    assert listed.exit_code == 0, listed.output
    lines = {line.split("│")[1].strip(): line for line in listed.output.splitlines() if "│" in line}
    assert "LlamaForCausalLM" in lines["m"]
    assert "damaged" in lines["torn"]
    refused(startrail("model", "show", "torn"), "torn")


def test_a_prompt_that_cannot_be_asked_costs_no_run(whole: Path) -> None:
    """One among thousands is left out, by name and with its reason; hours of work on the others are not lost.

    Only the model tells that a prompt is too long for it; a blank one never comes this far (see prompts add).
    """
    odd = {"id": "odd", "prompt": "The fox ran. " * 50, "target": "ran"}
    prompts = whole / "odd.jsonl"
    prompts.write_text(
        json.dumps({"id": "fine", "prompt": "The fox", "target": "ran"}) + "\n" + json.dumps(odd)
    )
    assert startrail("prompts", "add", prompts, "--name", "odd").exit_code == 0
    done = startrail("retrieve", "tiny", "--prompts", "odd", "--run", "some")
    assert done.exit_code == 0, done.output
    assert "1 left out" in done.output
    assert "odd: The prompt has" in done.output
    assert kept(whole, Output) == 1
    store = open_store(f"sqlite:///{whole / 'startrail.db'}")
    with store.session() as session:
        assert list(get_run(session, "some").configuration["left_out"]) == ["odd"]
    store.engine.dispose()
    prompts.write_text(json.dumps(odd))
    assert startrail("prompts", "add", prompts, "--name", "only odd").exit_code == 0
    refused(
        startrail("retrieve", "tiny", "--prompts", "only odd", "--run", "none"),
        "None of the 1 prompts",
        "the model reads 96",
    )


def test_half_a_character_is_read_as_no_character(
    home: Path, tmp_path: Path, checkpoints: Callable[..., Path]
) -> None:
    """The store keeps lone surrogates and every line separator as they came; tokenizers and files refuse the first."""
    file = tmp_path / "web.jsonl"
    odd = [("a\ud83d", "Half \ud83d of a smile."), ("b\u2028c\x85", "A line\u2028separator.")]
    file.write_text("".join(json.dumps({"id": id_, "text": text}) + "\n" for id_, text in odd))
    made = startrail("index", checkpoints("llama"), file, "--name", "web", *INDEX)
    assert made.exit_code == 0, made.output
    index = open_index(home / "indexes" / "web")
    assert index.passage_ids == [id_ for id_, _ in odd]
    model = load_model(checkpoints("llama"))
    got, want = model.texts.passages([odd[0][1], odd[0][1].replace("\ud83d", "\ufffd")])
    assert got == want
    assert model.texts.located_passage(odd[0][1]).example == want


def test_a_refused_build_leaves_no_half_built_index(home: Path, tmp_path: Path) -> None:
    """What was killed stays to be resumed; what cannot be done does not."""
    model = tiny.save_model(tmp_path / "m", optimizer=None)
    corpus = written(tmp_path / "tiny.jsonl")
    result = startrail("index", model, corpus, "--exact-moments", *INDEX)
    refused(result, "field second_moments", "need an AdamW optimizer's state", "use factored second moments")
    assert directories(home) == []


def test_without_optimizer_state_v_is_estimated_and_so_is_the_step(whole: Path) -> None:
    (whole / "models" / "m" / "optimizer.safetensors").unlink()
    made = startrail("index", "m", "tiny", "--name", "estimated", *INDEX)
    assert made.exit_code == 0, made.output
    assert "estimated from 9 passages" in " ".join(made.output.split())
    retrieved = startrail("retrieve", "estimated", "--prompts", "asked", "--run", "r")
    assert retrieved.exit_code == 0, retrieved.output
    evaluated = startrail("evaluate", "--tail-patch", 1)
    assert evaluated.exit_code == 0, evaluated.output
    refused(startrail("ablate", "tiny", "--prompts", "asked", "--no-baselines"), "no optimizer state")
    store = open_store(f"sqlite:///{whole / 'startrail.db'}")
    with store.session() as session:
        methods = set(session.scalars(select(Run.method)))
    store.engine.dispose()
    assert methods == {"trackstar", "gradient-dot", "gradient-cosine", "+R_train"}, (
        "whole runs without V stay"
    )


def test_a_state_of_another_model_is_refused_by_the_parameters_name(whole: Path) -> None:
    file = whole / "models" / "m" / "optimizer.safetensors"
    save_file({f"other.{name}": tensor for name, tensor in load_file(file).items()}, file)
    result = startrail("index", "m", "tiny", "--name", "two", *INDEX)
    refused(result, str(file), "field other.", "which this model does not have", "saved with these weights")
    assert directories(whole) == ["m", "tiny"]


def test_a_manifest_of_another_model_is_refused(whole: Path, checkpoints: Callable[..., Path]) -> None:
    """The name is the same, the weights are not: rows and queries would not compare."""
    shutil.rmtree(whole / "models" / "m")
    shutil.copytree(checkpoints("llama", "adafactor", 5), whole / "models" / "m")
    before = kept(whole, Run)
    refused(
        startrail("retrieve", "tiny", "--prompts", "asked"), "“tiny” was built with another model", "again"
    )
    refused(startrail("trace", "The capital of France is", " Paris"), "built with another model")
    assert kept(whole, Run) == before


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def bits_changed(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2] + b"\x11\x22")


@pytest.mark.parametrize("damage", [cut_short, bits_changed, Path.unlink])
@pytest.mark.parametrize("name", ["encodings-00001.npy", "trackstar.safetensors"])
def test_a_damaged_file_of_an_index_is_named_and_answers_nothing(
    whole: Path, damage: Callable[[Path], None], name: str
) -> None:
    """Changed bits too: they would rank passages by noise, and nobody would know."""
    damage(whole / "indexes" / "tiny" / name)
    file = str(whole / "indexes" / "tiny" / name)
    refused(
        startrail("retrieve", "tiny", "--prompts", "asked"), file, "Copy it again, or build the index again."
    )
    refused(startrail("trace", "The capital of France is", " Paris"), file)
    assert kept(whole, Run) == 0
    store = open_store(f"sqlite:///{whole / 'startrail.db'}")
    with store.session() as session:
        assert session.scalars(select(Trace)).all() == []
    store.engine.dispose()


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "damaged"), ('{"schema": 99}', "schema 99"), ('{"schema": 1}', "damaged"), ("[]", "damaged")],
)
def test_a_damaged_manifest_is_named(whole: Path, text: str, words: str) -> None:
    file = whole / "indexes" / "tiny" / "manifest.json"
    file.write_text(text)
    refused(startrail("retrieve", "tiny", "--prompts", "asked"), str(file), words)


def test_an_index_of_another_corpus_is_refused(whole: Path) -> None:
    """As many passages, other texts: row r would be shown as a passage it is not."""
    file = whole / "indexes" / "tiny"
    manifest = IndexManifest.read(file)
    values = json.loads((file / "manifest.json").read_text())
    values["corpus"]["sha256"] = "0" * 64
    (file / "manifest.json").write_text(json.dumps(values))
    assert IndexManifest.read(file).passages == manifest.passages
    refused(startrail("retrieve", "tiny", "--prompts", "asked"), "“tiny” was built from another corpus")
    assert kept(whole, Run) == 0


def test_rows_below_float16_are_zero_rows_and_rows_beyond_it_are_counted(tmp_path: Path) -> None:
    """The cast makes neither a hit of nothing nor infinity, and no score is ever NaN."""
    rows = np.array([[1e-9, 0], [1, -1], [1e6, 1], [0, 0]], dtype=np.float32)
    wrote = write_shard(tmp_path, 0, 0, rows, 1.0, {"empty": 1})
    assert wrote.zero_rows == [0, 3]
    assert wrote.counts == {"empty": 1, "saturated": 1}
    stored = open_shards(tmp_path, [wrote.shard], 2)
    assert np.isfinite(stored[0]).all()


def test_a_passage_whose_gradient_is_no_number_is_counted_and_never_found(
    tmp_path: Path, checkpoints: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overflow in one passage must not spread over the batch, R or a score."""
    gradients = Encoder.gradients

    def overflowing(self: Encoder, examples: list, **options: Any) -> torch.Tensor:
        rows = gradients(self, examples, **options)
        for row, example in enumerate(examples):
            if example == self.model.texts.passages(tiny.TEXTS[2:3])[0]:
                rows[row, 0] = torch.inf
        return rows

    monkeypatch.setattr(Encoder, "gradients", overflowing)
    passages = [(one["id"], one["text"]) for one in PASSAGES]
    build_index(checkpoints("llama"), passages, tmp_path / "index", method=EncodingConfig(projection_dim=3))
    index: TrackstarIndex = open_index(tmp_path / "index")
    assert (index.manifest.counts["degenerate"], index.manifest.zero_rows) == (1, [2, 8])
    query = np.concatenate(index.rows)[:1].astype(np.float32)
    scores, rows = open_search(index).search(query, 10)
    assert 2 not in rows[0]
    assert not np.isnan(scores).any()
