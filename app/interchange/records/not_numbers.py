"""NaN, which pandas, numpy and Python write where a number is not known: read as null, and counted by field."""

import ast
import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

NAMED = (
    100  # fields that are counted by name; of a file in which every record names others, the rest together
)
OTHERS = "others"


class Numbers(json.JSONDecoder):
    """JSON with NaN in it, as Python writes it. Other numbers that are not finite are refused.

    `met` is true once there was a NaN: who sees it looks for the fields, so that others need not.
    """

    def __init__(self) -> None:
        super().__init__(parse_constant=self._constant, parse_float=_finite)
        self.met = False

    def _constant(self, name: str) -> float:
        if name != "NaN":
            raise ValueError(f"{name} is no JSON number")
        self.met = True
        return math.nan


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


def without(record: Mapping[str, Any]) -> tuple[dict[str, Any], Counter[str]]:
    """A record with null for each number that is not finite, and how many there were by field."""
    made, nulls = {}, Counter[str]()
    for name, value in record.items():
        lost: list[float] = []
        made[name] = known(value, lost)
        if lost:
            nulls[name] = len(lost)
    return made, nulls


def known(value: Any, lost: list[float]) -> Any:
    """A value with null for each number that is not finite; those are put into `lost`."""
    if isinstance(value, float) and not math.isfinite(value):
        lost.append(value)
        return None
    if isinstance(value, dict):
        return {key: known(each, lost) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [known(each, lost) for each in value]
    return value


def count(counted: Counter[str], nulls: Mapping[str, int]) -> None:
    """Add a record's to those of the file."""
    for name, times in nulls.items():
        counted[name if name in counted or len(counted) < NAMED else OTHERS] += times


def read_cell(text: str) -> tuple[Any, int]:
    """What a cell of a table of texts says, `["a"]`, as pandas writes it `['a', nan]`, or `3`, and how many NaN were in it;
    the text where it says nothing that can be read."""
    if not text.strip():
        return None, 0
    for read in (Numbers().decode, _python):
        lost: list[float] = []
        try:
            value = known(read(text), lost)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return (text, 0) if any(map(math.isinf, lost)) else (value, len(lost))
    return text, 0


def _python(text: str) -> Any:
    return ast.literal_eval(_Numpy().visit(ast.parse(text.strip(), mode="eval")))


class _Numpy(ast.NodeTransformer):
    """What numpy adds to Python's literals when it writes a list: `nan`, `np.float64(0.5)`, `np.True_`."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(math.nan) if node.id == "nan" else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _is_numpys(node.func) and len(node.args) == 1 and not node.keywords:
            return self.visit(node.args[0])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        truth = {"True_": True, "False_": False}
        return ast.Constant(truth[node.attr]) if _is_numpys(node) and node.attr in truth else node


def _is_numpys(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
