"""GPU FAISS finds what the processor finds; where no device is there, the processor is asked."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from app.errors import UserError
from app.retrieval.gpu_search import GpuSearch, gpus
from app.retrieval.search import open_search
from tests.support.indexes import index_of

ROWS = np.random.default_rng(0).integers(-1, 2, size=(3_000, 64)).astype(np.float32)  # many ties


@pytest.mark.skipif(not gpus(), reason="GPU FAISS sees no device: a GPU and the package faiss-gpu are needed")
@pytest.mark.parametrize("opponents", [False, True])
def test_devices_find_what_the_processor_finds(tmp_path: Path, opponents: bool) -> None:
    """Whole numbers, so that no rounding decides; ties by row, though rows are shared out among devices."""
    index = index_of(tmp_path, ROWS)
    for k in (1, 10, 100):
        found = GpuSearch(index).search(ROWS[:5], k, opponents=opponents)
        wanted = open_search(index).search(ROWS[:5], k, opponents=opponents)
        assert [part.tolist() for part in found] == [part.tolist() for part in wanted]


@pytest.mark.skipif(bool(gpus()), reason="there is a device")
def test_without_a_device_faiss_counts_none(tmp_path: Path) -> None:
    """Also with the package for GPUs, which installs and imports on any machine."""
    assert gpus() == 0
    assert open_search(index_of(tmp_path, ROWS), device="cpu").kind == "exact"


def test_without_faiss_the_remedy_names_both_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither extra is installed by default: `pip install startrail` alone has no FAISS."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.delitem(sys.modules, "app.retrieval.faiss_package")
    with pytest.raises(UserError, match="FAISS") as raised:
        import_module("app.retrieval.faiss_package")
    assert "startrail[cpu]" in raised.value.remedy
    assert "startrail[gpu]" in raised.value.remedy
