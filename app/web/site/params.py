"""What may stand in an address, by type and range: checked where it enters, so that no page and no query meets the rest."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, Field

HELD = 2**31 - 1  # the largest number that a column of any database here holds
LARGEST_ID = 2**63 - 1  # there are more passages than that column would hold
LONGEST = 300  # characters of a name; names that we make are shorter


def _plain(text: str) -> str:
    """No name has a U+0000, and PostgreSQL is not even to be asked for one."""
    return text.replace("\0", "\ufffd")


Plain = Annotated[str, AfterValidator(_plain)]
Slug = Annotated[Plain, Path(max_length=LONGEST)]
Id = Annotated[int, Path(ge=0, le=LARGEST_ID)]
Name = Annotated[Plain, Query(max_length=LONGEST)]
OutcomeName = Annotated[
    Plain, Query(max_length=LONGEST, description="name of an outcome of `startrail truth`")
]
AuditName = Annotated[Plain, Query(max_length=LONGEST, description="name of an outcome of `startrail audit`")]
RunName = Annotated[Plain, Query(max_length=LONGEST, description="slug of a run")]
_SLUGS: dict[str, Any] = {  # one text with commas in it, see `app.web.site.openapi`
    "type": "array",
    "items": {"type": "string", "pattern": "^[^,]+$", "maxLength": LONGEST},
    "uniqueItems": True,
}
Runs = Annotated[
    Plain,
    Query(
        max_length=8 * LONGEST,
        description="slugs of two to four runs, separated by commas; of fewer, others that have the prompt are added",
        json_schema_extra={**_SLUGS, "maxItems": 4},
    ),
]
TwoRuns = Annotated[
    Plain,
    Query(
        max_length=8 * LONGEST,
        description="slugs of two runs, separated by a comma; none for what can be chosen",
        json_schema_extra={**_SLUGS, "maxItems": 2, "anyOf": [{"maxItems": 0}, {"minItems": 2}]},
    ),
]
TraceId = Annotated[Plain, Query(max_length=LONGEST, description="id of the trace to tell the difference to")]
Count = Annotated[int, Query(ge=0, le=HELD)]
MOST_AT_ONCE = 1_000
Limit = Annotated[int | None, Query(ge=1, le=MOST_AT_ONCE, description="how many at once, at most 1,000")]
Embed = Annotated[bool, Query(description="only the evidence, for a frame on another site")]
Side = Annotated[Literal["proponent", "opponent"], Query(description="proponent or opponent")]
Explains = Annotated[
    Literal["said", "target"],
    Query(
        description="said: what the model said, where that is something else than the target; target: the target"
    ),
]
Short = Annotated[Plain, Field(max_length=LONGEST)]  # a text inside a list or a model
