"""What may stand in an address, by type and range: checked where it enters, so that no page and no query meets the rest."""

from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import Field

HELD = 2**31 - 1  # the largest number that a column of any database here holds
LARGEST_ID = 2**63 - 1  # there are more passages than that column would hold
LONGEST = 300  # characters of a name; names that we make are shorter

Slug = Annotated[str, Path(max_length=LONGEST)]
Id = Annotated[int, Path(ge=0, le=LARGEST_ID)]
Name = Annotated[str, Query(max_length=LONGEST)]
RunName = Annotated[str, Query(max_length=LONGEST, description="slug of a run")]
Runs = Annotated[
    str, Query(max_length=8 * LONGEST, description="slugs of two to four runs, separated by commas")
]
TraceId = Annotated[str, Query(max_length=LONGEST, description="id of the trace to tell the difference to")]
Position = Annotated[int, Query(ge=-1, le=HELD)]
Count = Annotated[int, Query(ge=0, le=HELD)]
Side = Annotated[Literal["proponent", "opponent"], Query(description="proponent or opponent")]
Short = Annotated[str, Field(max_length=LONGEST)]  # a text inside a list or a model
