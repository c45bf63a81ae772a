"""What comes back: plain, frozen values that show themselves in a notebook and turn into data frames."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import pandas

SHOWN = 300  # characters of a passage in a notebook's cell


class Table(Sequence[Mapping[str, Any]]):
    """Rows with the same columns, in order."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = [dict(row) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> "Table": ...
    def __getitem__(self, at: int | slice) -> "Mapping[str, Any] | Table":
        return Table(self._rows[at]) if isinstance(at, slice) else self._rows[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]  # rows are dictionaries

    def __repr__(self) -> str:
        return f"<{len(self)} rows: {', '.join(self._rows[0]) if self._rows else 'nothing'}>"

    def frame(self) -> "pandas.DataFrame":
        """The rows as a data frame.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        import pandas

        return pandas.DataFrame(self._rows)

    def _repr_html_(self) -> str:
        return _table(self._rows)


@dataclass(frozen=True)
class Passage:
    """A passage at its rank, from 1. `change`: percentage points that one training step on it added to the answer's
    probability; None where no step was made."""

    rank: int
    score: float | None
    passage_id: int
    external_id: str
    text: str
    change: float | None = None


class Passages(Sequence[Passage]):
    """Ranked passages."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._passages = tuple(passages)

    def __len__(self) -> int:
        return len(self._passages)

    @overload
    def __getitem__(self, at: int) -> Passage: ...
    @overload
    def __getitem__(self, at: slice) -> "Passages": ...
    def __getitem__(self, at: int | slice) -> "Passage | Passages":
        return Passages(self._passages[at]) if isinstance(at, slice) else self._passages[at]

    def __iter__(self) -> Iterator[Passage]:
        return iter(self._passages)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Passages) and self._passages == other._passages

    def __hash__(self) -> int:
        return hash(self._passages)

    def __repr__(self) -> str:
        return "\n".join(f"{each.rank:3} {_number(each.score):>8} {each.text[:100]!r}" for each in self)

    def frame(self) -> "pandas.DataFrame":
        """One row a passage.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return Table(asdict(each) for each in self).frame()

    def _repr_html_(self) -> str:
        return _table(
            {
                "rank": p.rank,
                "score": _number(p.score),
                "one step": points(p.change),
                "passage": _start(p.text),
            }
            for p in self
        )


@dataclass(frozen=True)
class Steps:
    """What one training step on each passage alone did to the answer's probability, in percentage points.

    Args:
        probability: of the answer before, 0 to 1.
        changes: by passage id.
        control: the same for passages drawn at random: what no evidence looks like.
        settings: optimizer, learning rate and number of steps.
    """

    probability: float
    changes: Mapping[int, float]
    control: Sequence[float]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        rows = [{"passage": id_, "one step": points(change)} for id_, change in self.changes.items()]
        rows += [{"passage": "random", "one step": points(change)} for change in self.control]
        return f"<p>Before: {self.probability:.1%}</p>{_table(rows)}"


@dataclass(frozen=True)
class Answer:
    """One answered question: what the model said, how sure it was, and the passages for and against it.

    Args:
        id: of the trace, whose page is `url`.
        completion: what is explained; `generated` if the model said it by itself.
        probability: of the completion given the prompt, 0 to 1.
        correct: whether the model's answer is right; None where no prompt of the site says what is.
    """

    id: str
    url: str
    prompt: str
    completion: str
    generated: bool
    probability: float
    proponents: Passages
    opponents: Passages
    correct: bool | None = None

    def with_steps(self, steps: Steps) -> "Answer":
        """The same answer with the measured change beside each passage that was trained on."""

        def beside(passages: Passages) -> Passages:
            return Passages(replace(p, change=steps.changes.get(p.passage_id, p.change)) for p in passages)

        return replace(self, proponents=beside(self.proponents), opponents=beside(self.opponents))

    def _repr_html_(self) -> str:
        said = "said" if self.generated else "was given"
        against = f"<h4>Against</h4>{self.opponents._repr_html_()}" if self.opponents else ""
        return (
            f"<p>{escape(self.prompt)}<b>{escape(self.completion)}</b>"
            f" <small>(the model {said} this; {self.probability:.1%})</small></p>"
            f"<h4>For</h4>{self.proponents._repr_html_()}{against}"
        )


def points(change: float | None) -> str:
    """`+6.4 points`; nothing where nothing was measured."""
    return "" if change is None else f"{change:+.1f} points".replace("-", "−")


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


def _start(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    """An HTML table; what is in it is text of strangers, and stays text."""
    rows = list(rows)
    if not rows:
        return "<p><em>None.</em></p>"
    head = "".join(f"<th>{escape(str(name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in row.values())
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
