"""A home directory that was moved or copied still finds its models."""

from pathlib import Path

from app.store.models import find_checkpoint
from app.store.tables import Model


def test_a_home_that_moved_finds_its_model(tmp_path: Path) -> None:
    """Weights are where the home is now, not where they were when the model was registered."""
    here = tmp_path / "models" / "demo"
    here.mkdir(parents=True)
    model = Model(name="demo", path="elsewhere/models/demo")
    (here / "optimizer.safetensors").touch()
    assert find_checkpoint(model, tmp_path / "models") is None, "an optimizer's state is no model"
    (here / "model-00001-of-00002.safetensors").touch()
    assert find_checkpoint(model, tmp_path / "models") == here


def test_a_model_outside_the_home_is_found_where_it_was_registered(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    assert find_checkpoint(Model(name="big", path=str(tmp_path)), tmp_path / "models") == tmp_path
    assert find_checkpoint(Model(name="imported", path=None), tmp_path / "models") is None
