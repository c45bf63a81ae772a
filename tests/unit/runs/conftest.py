"""What runs leave beside an index that other tests share."""

import shutil
from collections.abc import Iterator

import pytest

from app.curvature.place import FACTORS
from tests.support.asking import made_home


@pytest.fixture(autouse=True)
def _no_factors_left() -> Iterator[None]:
    """Other tests ask the same home: with factors beside its index they would be answered in two stages."""
    yield
    if made_home.cache_info().currsize:
        shutil.rmtree(made_home() / "indexes" / "demo" / FACTORS, ignore_errors=True)
