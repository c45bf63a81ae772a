"""The list's part of a URL's query: which prompts, in which order. The same for pages, twins and exports."""

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, field_validator

from app.errors import UserError
from app.store.browse import Filters
from app.web.browsing.filters import parse
from app.web.browsing.listing_words import SORTS, VALUES
from app.web.site.params import HELD


class Asked(BaseModel):
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


def _said(description: str, most: int = 200) -> Any:
    return Query(description=description, max_length=most)


def _asked(
    task: Annotated[str, _said("fact, commonsense, arithmetic or open_ended")] = "",
    relation: Annotated[str, _said("what the fact says of its subject, as the corpus calls it")] = "",
    frequency: Annotated[
        str,
        Query(
            description="bucket: 0 never stated, 1 once, 2 two or three times, 3 four to seven, …",
            max_length=9,
            pattern=r"^(-?[0-9]+)?$",
        ),
    ] = "",
    right: Annotated[str, _said("whether the model answers right: yes or no")] = "",
    confidence: Annotated[str, _said("high (0.5 or more) or low")] = "",
    stated: Annotated[str, _said("whether a retrieved passage states the answer: yes or no")] = "",
    ais: Annotated[str, _said("best AIS score: high (0.5 or more) or low")] = "",
    q: Annotated[str, _said("words that prompt and target, or the answer, contain", 500)] = "",
    where: Annotated[str, _said("an expression over the record’s fields, see /about", 2000)] = "",
    sort: Annotated[
        str, _said("frequency, rare, score, probability or tail-patch; else the run’s order")
    ] = "",
) -> Asked:
    asked = Asked(
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
    for name, allowed in {**VALUES, "sort": SORTS}.items():
        if (value := getattr(asked, name)) and value not in allowed:
            known = " or ".join(filter(None, allowed))
            raise UserError(f"“{value}” is no value of {name}.", field=name, remedy=f"Use {known}.")
    return asked


AskedQuery = Annotated[Asked, Depends(_asked)]
After = Annotated[
    int | None, Query(ge=-1, le=HELD, description="show what comes after this position of the run")
]
Before = Annotated[
    int | None,
    Query(ge=-1, le=HELD, description="show what comes before this position; −1 for the last page"),
]
