"""What fits together in a build, and blocks that are no larger than what R can be fitted to."""

import sys

import pytest

from app.errors import UserError
from app.runs.building import Build, method_for
from app.trackstar.config import EncodingConfig

DEFAULT = EncodingConfig.preset("+V+R_train")


def test_enough_passages_change_nothing() -> None:
    assert method_for(DEFAULT, DEFAULT.block_size) == DEFAULT
    assert method_for(DEFAULT, DEFAULT.block_size, insists=True) == DEFAULT


@pytest.mark.parametrize("passages", [1, 2, 40, 300, 1023])
def test_fewer_make_the_blocks_smaller(passages: int) -> None:
    """Three hundred passages of a fine-tune: R of rank 300 in blocks of 1,024 collapsed every score, without a word."""
    fits = method_for(DEFAULT, passages)
    assert fits.block_size <= max(1, passages / 2)
    assert (fits.projection_dim + 1) ** 2 > passages / 2


def test_p_that_was_asked_for_is_refused_with_one_that_fits() -> None:
    with pytest.raises(UserError, match="300 passages, fewer than the 1,024") as told:
        method_for(DEFAULT, 300, insists=True)
    assert "--projection-dim 12" in told.value.remedy


def test_a_method_without_r_has_blocks_of_any_size() -> None:
    method = EncodingConfig.preset("+V")
    assert method_for(method, 2, insists=True) == method


def test_a_cluster_is_refused_where_ray_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a corpus of hours is read."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'startrail\[ray\]'"):
        Build(EncodingConfig(), rerank="ekfac", cluster="auto").check()
