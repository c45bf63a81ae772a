"""The plan for large models in docs/scale.md is what its script prints, and the script counts what the index would have."""

import runpy
from pathlib import Path
from typing import Any

from app.trackstar.config import EncodingConfig

ROOT = Path(__file__).parents[3]
PLAN: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "costs.py"))


def test_the_page_has_the_table_that_the_script_prints() -> None:
    assert PLAN["table"](PLAN["Assumed"]()) in (ROOT / "docs" / "scale.md").read_text()


def test_a_row_is_as_long_as_the_method_makes_it() -> None:
    for shape in PLAN["SHAPES"]:
        method = EncodingConfig(groups=shape.groups, projection_dim=shape.projection)
        assert shape.dimension == method.dimension
        assert shape.hessian_bytes == method.blocks * method.block_size**2 * 4
