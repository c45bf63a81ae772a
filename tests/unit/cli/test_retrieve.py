"""What is wrong with `startrail retrieve` is said before anything is opened."""

import sys
from pathlib import Path

import pytest

from tests.support.commands import refused, startrail


def test_a_cluster_is_refused_where_it_would_do_nothing_and_where_ray_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No home is made, either."""
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "ray", None)
    asked = ("retrieve", "demo", "--prompts", "demo", "--cluster", "auto")
    refused(startrail(*asked, "--method", "bm25"), "not shared out", "trackstar or trackstar+ekfac")
    refused(startrail(*asked, "--method", "trackstar+ekfac"), "pip install 'startrail[ray]'")
    assert not (tmp_path / "home").exists()
