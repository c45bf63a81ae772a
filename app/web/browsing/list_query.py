"""The list's part of a URL's query: which prompts, in which order. The same for pages, twins and exports."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, field_validator

from app.errors import UserError
from app.store.browse import Filters
from app.web.browsing.filters import MAX_LENGTH, parse
from app.web.browsing.listing_words import SORTS
from app.web.site.budgets import searching
from app.web.site.params import HELD
from app.words.slices import SLICES


class ListQuery(BaseModel):
    """The list's part of a URL's query, as typed."""

    task: str = ""
    relation: str = ""
    frequency: str = ""
    right: str = ""
    confidence: str = ""
    stated: str = ""
    ais: str = ""
    q: str = ""
    where: str = ""
    sort: str = ""

    @field_validator("*", mode="before")
    @classmethod
    def _without_null(cls, value: object) -> object:
        return value.replace("\0", "") if isinstance(value, str) else value  # no database takes it

    def query(self) -> dict[str, str]:
        """The parameters that say something."""
        return {name: value for name, value in self.model_dump().items() if value}

    def filters(self) -> Filters:
        """The filters; an expression that cannot be read is a `UserError` at `where`."""
        rest = self.model_dump(exclude={"where", "sort"})
        return Filters(**rest, where=parse(self.where) if self.where.strip() else None)


def _said(description: str, most: int = 200, **schema: Any) -> Any:
    return Query(description=description, max_length=most, json_schema_extra=schema)


def _slice(name: str) -> Any:
    said = SLICES[name]
    return _said(said.help, enum=["", *said.values]) if said.values else _said(said.help)


async def _asked(
    place: Annotated[None, Depends(searching, scope="function")],
    task: Annotated[str, _slice("task")] = "",
    relation: Annotated[str, _slice("relation")] = "",
    frequency: Annotated[
        str,
        Query(
            description=SLICES["frequency"].help,
            max_length=9,
            pattern=r"^(-?[0-9]+)?$",
        ),
    ] = "",
    right: Annotated[str, _slice("right")] = "",
    confidence: Annotated[str, _slice("confidence")] = "",
    stated: Annotated[str, _slice("stated")] = "",
    ais: Annotated[str, _slice("ais")] = "",
    q: Annotated[str, _said("words that prompt and target, or the answer, contain", 500)] = "",
    where: Annotated[
        str, _said("an expression over the record’s fields, see /about", MAX_LENGTH, format="filter")
    ] = "",
    sort: Annotated[
        str,
        _said(
            "frequency, rare, score, probability, sure or tail-patch; else the run’s order", enum=list(SORTS)
        ),
    ] = "",
) -> ListQuery:
    asked = ListQuery(
        task=task,
        relation=relation,
        frequency=frequency,
        right=right,
        confidence=confidence,
        stated=stated,
        ais=ais,
        q=q,
        where=where,
        sort=sort,
    )
    allowed_in: dict[str, Mapping[str, str]] = {
        each.name: each.values for each in SLICES.values() if each.values
    }
    for name, allowed in {**allowed_in, "sort": SORTS}.items():
        if (value := getattr(asked, name)) and value not in allowed:
            known = " or ".join(filter(None, allowed))
            raise UserError(f"“{value}” is no value of {name}.", field=name, remedy=f"Use {known}.")
    return asked


AskedQuery = Annotated[ListQuery, Depends(_asked)]
After = Annotated[
    int | None, Query(ge=-1, le=HELD, description="show what comes after this position of the run")
]
Before = Annotated[
    int | None,
    Query(ge=-1, le=HELD, description="show what comes before this position; −1 for the last page"),
]
