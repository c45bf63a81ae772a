"""Results of other tools, as records of ours. A new one is its file and an entry here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.errors import UserError
from app.interchange.records import Line
from app.interchange.records.sources import missing
from app.interchange.tools import bergson, infini_gram, kronfluence, matrix, olmotrace
from app.interchange.tools.matrices import Places

AUTO, PAIR = "auto", "pair"


@dataclass(frozen=True)
class Tool:
    """A form of results beside the paper's own.

    Args:
        name: as `--format` has it.
        recognises: whether a file or folder is of this form, told by what is in it.
        method: what its runs are called, where the user does not say.
        read: its results as records of the paper's format.
    """

    name: str
    method: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Places], Iterator[Line]]


TOOLS: tuple[Tool, ...] = (
    Tool("bergson", "bergson", bergson.recognises, bergson.read),
    Tool("bergson-query", "bergson", bergson.recognises_table, bergson.read_table),
    Tool("kronfluence", "kronfluence", kronfluence.recognises, kronfluence.read),
    Tool("matrix", "matrix", matrix.recognises, matrix.read),
    Tool("infini-gram", "infini-gram", infini_gram.recognises, infini_gram.read),
    Tool("olmotrace", "olmotrace", olmotrace.recognises, olmotrace.read),
)
"""In the order in which they are asked."""
NAMES = (AUTO, PAIR, *(tool.name for tool in TOOLS))


def tool_for(path: Path, name: str) -> Tool | None:
    """The tool of this name, or the one whose results these are; None for the paper's format.

    Raises:
        UserError: there is no such tool. NotFound: there is no such file, and none but a tool's can be meant.
    """
    if name not in NAMES:
        raise UserError(
            f"There is no format “{name}”.", field="format", remedy=f"Use one of {', '.join(NAMES)}."
        )
    if name == AUTO:
        return next((tool for tool in TOOLS if tool.recognises(path)), None)
    named = next((tool for tool in TOOLS if tool.name == name), None)
    if named and not path.exists():
        raise missing(str(path))
    return named
