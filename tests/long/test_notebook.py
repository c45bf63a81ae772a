"""The notebook of the docs runs from its first cell to its last, on a small real world."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.world import build_small

pytestmark = pytest.mark.slow
NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it shows is evidence, not an error: the answer with its passages, each with its measured step."""
    build_small(tmp_path / "home")
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    book = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(book, timeout=300, kernel_name="python3").execute()
    shown = [str(cell.outputs) for cell in book.cells if cell.cell_type == "code"]
    assert "The capital of Mali is" in shown[1]
    assert "points" in shown[2]
