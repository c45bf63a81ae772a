"""Where a model comes from: a name, a directory, a hub, a file. Whatever it is, it becomes a directory of the home."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import UserError
from app.models.card import read_card
from app.models.load import load_model
from app.models.marks import Marks
from app.runs.taking import find_model
from app.settings import Settings
from app.trackstar.index import build_index, open_index
from tests.support import tiny
from tests.support.adapters import IDS, adapter, logits
from tests.support.gguf_files import write_gguf
from tests.support.small_hub import COMMIT, SmallHub, serving
from tests.support.small_index import PASSAGES, SMALL


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def hub(
    checkpoints: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[SmallHub]:
    """A hub whose model also holds code and a pickle, which nobody needs."""
    files = {file.name: file.read_bytes() for file in checkpoints("llama", None).iterdir()}
    made = SmallHub(
        files | {"modeling_own.py": b"raise SystemExit", "pytorch_model.bin": b"no", "a.gguf": b"GGUF"}
    )
    with serving(made, monkeypatch, tmp_path / "cache"):
        yield made


@pytest.mark.parametrize("name", ["lab/tiny", "lab/tiny@main"])
def test_a_model_of_the_hub_is_fetched_at_one_commit_which_its_page_names(
    settings: Settings, hub: SmallHub, checkpoints: Callable[..., Path], name: str
) -> None:
    found = find_model(settings, name)
    assert found.place == settings.models / "tiny"
    assert torch.equal(logits(found.directory), logits(checkpoints("llama", None)))
    card = read_card(found.directory)
    assert (card.source, card.author) == ("https://huggingface.co/lab/tiny", "lab")
    assert card.facts["revision"] == COMMIT
    fetched = {path.rpartition("/")[2] for path in hub.asked if "/resolve/" in path}
    assert not fetched & {"modeling_own.py", "pytorch_model.bin", "a.gguf"}
    before = len([path for path in hub.asked if "/resolve/" in path])
    find_model(settings, name)
    assert len([path for path in hub.asked if "/resolve/" in path]) == before, "fetched once"


def test_a_model_that_the_hub_does_not_have_is_refused(settings: Settings, hub: SmallHub) -> None:
    with pytest.raises(UserError, match="did not give the model lab/other"):
        find_model(settings, "lab/other")


def test_a_gguf_file_becomes_a_directory_with_the_numbers_that_it_holds(
    settings: Settings, tmp_path: Path
) -> None:
    """Eight bits a weight, turned rows and all: what llama.cpp computes with, and it is said."""
    wanted: Any = write_gguf(tmp_path / "small-q8.gguf")
    found = find_model(settings, str(tmp_path / "small-q8.gguf"))
    assert found.place == settings.models / "small-q8"
    loaded: Any = load_model(found.directory)
    assert torch.allclose(loaded.model(input_ids=IDS).logits, wanted(input_ids=IDS).logits, atol=1e-5)
    bare = tiny.tokenizer()("The fox ran.", add_special_tokens=False)["input_ids"]
    assert loaded.tokenizer("The fox ran.", add_special_tokens=False)["input_ids"] == bare
    assert loaded.marks == Marks()  # the file says that no start token is added
    assert "Dequantised from small-q8.gguf" in read_card(found.directory).description
    assert find_model(settings, str(tmp_path / "small-q8.gguf")) == found, "not made twice"


def test_a_damaged_gguf_file_is_one_clear_error_and_leaves_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "cut.gguf"
    write_gguf(file)
    file.write_bytes(file.read_bytes()[:900])
    with pytest.raises(UserError, match="cannot be read as a model"):
        find_model(settings, str(file))
    assert not (settings.models / "cut").exists()


def test_an_adapter_and_its_base_elsewhere_are_one_model_of_the_home(
    settings: Settings, checkpoints: Callable[..., Path], tmp_path: Path
) -> None:
    base = Path(shutil.copytree(checkpoints("llama", None), tmp_path / "base"))
    made = adapter(base, tmp_path / "mine")
    found = find_model(settings, str(tmp_path / "mine"))
    assert found.directory == settings.models / "mine"
    assert torch.allclose(logits(found.directory), made(input_ids=IDS).logits, atol=1e-5)
    assert read_card(found.directory).facts["taken as"] == "a LORA adapter on base"
    assert find_model(settings, "mine").directory == found.directory
    assert find_model(settings, str(tmp_path / "mine")) == found
    shutil.copytree(base, tmp_path / "elsewhere" / "mine")
    with pytest.raises(UserError, match="Another model is called mine"):
        find_model(settings, str(tmp_path / "elsewhere" / "mine"))


def test_model_show_says_how_a_model_is_taken_and_what_stands_around_its_texts(
    run: Callable[..., Any], checkpoints: Callable[..., Path], tmp_path: Path
) -> None:
    adapter(checkpoints("llama", None), tmp_path / "mine")
    said = run("model", "show", tmp_path / "mine", "--json")
    assert said.exit_code == 0, said.output
    facts = json.loads(said.output)
    assert facts["taken_as"].endswith("gradients of the adapter's own matrices A and B")
    assert facts["around_a_passage"] == "<s> … </s>"


@pytest.mark.parametrize("way", ["own", "merged"])
def test_an_index_keeps_whose_gradients_it_has(
    settings: Settings, checkpoints: Callable[..., Path], tmp_path: Path, way: str
) -> None:
    """Questions are encoded as the passages were, whatever is usual: their weights, blocks and V are others."""
    adapter(checkpoints("llama", None), tmp_path / "mine")
    (tmp_path / "mine" / "optimizer.pt").unlink()
    build_index(tmp_path / "mine", PASSAGES, tmp_path / "index", adapter=way, **SMALL)
    index = open_index(tmp_path / "index")
    assert index.manifest.opening["adapter"] == way
    encoder = index.encoder(load_model(tmp_path / "mine", **index.manifest.opening))
    made = encoder.encode_passages([text for _, text in PASSAGES])
    assert np.allclose(index.take(np.arange(len(PASSAGES))), made, atol=2e-3)
    assert made.any()
