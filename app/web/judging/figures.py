"""What the evaluation pages are made of: estimates that link to their prompts, and charts with their numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field

from app.store.tables import Run
from app.web.site import urls
from app.web.site.links import PageUrl

Value = str | float | int | None


class Cell(BaseModel):
    """A mean with its 95% interval over `count` prompts, and where these are listed."""

    mean: float
    low: float
    high: float
    count: int
    url: PageUrl

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero: of a difference, whether it is one."""
        return self.low > 0 or self.high < 0


class LegendKey(BaseModel):
    """One entry of a chart's key."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    label: str
    url: PageUrl | None = None
    swatch: Markup = Field(exclude=True)


class Figure(BaseModel):
    """A chart with the numbers it draws; `links` has the same shape as `rows`, an empty text where there is none."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    id: str
    title: str
    note: str
    columns: list[str]
    rows: list[list[Value]]
    links: list[list[str]]
    csv_url: str = ""
    keys: list[LegendKey] = []
    svg: Markup = Field(exclude=True)


class EvaluationQuery(BaseModel):
    """What the evaluation page is asked to show; the query of its URL."""

    model_config = ConfigDict(frozen=True)
    set: str = ""
    task: str = "fact"
    model: str = ""
    run: tuple[str, ...] = ()
    against: str = ""
    by: str = "bucket"

    def url(self, **changes: object) -> str:
        """The page with some of it changed; what is as usual is left out."""
        query = self.model_dump() | changes
        usual: dict[str, object] = {"task": "fact", "by": "bucket"}
        return urls.evaluation(**{name: value for name, value in query.items() if value != usual.get(name)})


def figure_prompts_url(run: Run, task: str, measure: str, **slices: object) -> str:
    """The prompts behind one number."""
    return urls.evaluation_prompts(run=run.slug, task=task, measure=measure, **slices)


def cell(estimate: Mapping[str, Any] | None, url: str) -> Cell | None:
    """An estimate as saved, with its link; None for none."""
    return Cell(**estimate, url=url) if estimate else None


def estimate_row(
    head: Sequence[Value], estimate: Mapping[str, Any], url: str
) -> tuple[list[Value], list[str]]:
    """A row of a figure's table and its links: what it is of, then mean, low, high and count."""
    values = [*head, estimate["mean"], estimate["low"], estimate["high"], estimate["count"]]
    return values, [*([""] * len(head)), url, "", "", ""]
