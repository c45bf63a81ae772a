"""What people get wrong, as typed: one clear line and exit code 2, or a counted treatment; nothing half-written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from sqlalchemy import select

from app.models.load import load_model
from app.retrieval.search import open_search
from app.store.engine import open_store
from app.store.runs import get_run
from app.store.tables import Corpus, Output, Run
from app.trackstar.index import open_index
from tests.support import tiny
from tests.support.commands import INDEX, PASSAGES, kept, refused, startrail, written

pytestmark = pytest.mark.slow


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
    made = startrail("index", checkpoints("llama"), file, "--name", "web", "--projection-dim", 1)
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
    plain = startrail("index", "m", "tiny", "--name", "plain", "--method", "gradient-cosine", *INDEX)
    assert plain.exit_code == 0, plain.output
    refused(startrail("ablate", "plain", "--prompts", "asked", "--no-baselines"), "no optimizer state")
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
