"""What any route may answer besides what it is for: statuses and their headers, as the OpenAPI document says them."""

from typing import Any

from app.web.site.problems import ProblemDetails

Responses = dict[int | str, dict[str, Any]]
STATUSES = {
    400: "The request cannot be read, or the site is not known by this name.",
    401: "Nobody reads or asks here without a token, or this one is not good.",
    403: "Not allowed: sent from another site's page, or not among the rights of this token.",
    404: "Nothing has this name here.",
    405: "Nothing is done here by this method; `Allow` says by which.",
    408: "The rest of the body did not come.",
    409: "It is in no state for this.",
    410: "It was here and was taken away; `detail` says why.",
    412: "What is here is not what `If-Match` names.",
    413: "More than is read.",
    414: "The address is too long.",
    415: "A body of this type is not read.",
    416: "The file is shorter than what `Range` asked for.",
    422: "A parameter or field is wrong, or unknown; `field` names it. Nothing was changed.",
    429: "One client has had its share; `Retry-After` says in how many seconds to come back.",
    431: "The headers are too long.",
    503: "Busy; `Retry-After` says in how many seconds to come back.",
    507: "The server's disk is too full.",
}
ALWAYS = (400, 401, 403, 404, 405, 414, 422, 429, 431, 503)
NAMED = (410,)  # where the address names something
SENT = (408, 413)  # where there is a body
_SAID = {
    "Accept-Ranges": "Parts of it can be asked for.",
    "Allow": "The methods that there are.",
    "Content-Disposition": "The file's name.",
    "Content-Range": "Which bytes these are, or how many there are.",
    "ETag": "Of what is sent: as `If-None-Match` it asks for something else only.",
    "Location": "Where it stands.",
    "Retry-After": "In seconds.",
    "WWW-Authenticate": "How to say who you are.",
    "X-Row-Count": "How many rows the file has.",
}
_NUMBERS = ("Retry-After", "X-Row-Count")
HEADERS = {  # as components of the document; who promises one always sends it
    name: {
        "description": said,
        "required": True,
        "schema": {"type": "integer", "minimum": 0} if name in _NUMBERS else {"type": "string"},
    }
    for name, said in _SAID.items()
}
_OF = {401: "WWW-Authenticate", 405: "Allow", 416: "Content-Range", 429: "Retry-After", 503: "Retry-After"}


def headers(*names: str) -> dict[str, Any]:
    """OpenAPI of headers that an answer always has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def problems(*statuses: int) -> Responses:
    """OpenAPI of the problems with which a route may answer."""
    return {status: _problem(status) for status in statuses}


def sent_on(path: str) -> Responses:
    """OpenAPI of an address that names something, which may have moved."""
    return elsewhere(308, "It stands at another address now: `Location`.") if "{" in path else {}


def elsewhere(status: int = 307, said: str = "The whole address is `Location`.") -> Responses:
    """OpenAPI of an address that leads to another."""
    return {status: {"description": said, "headers": headers("Location")}}


def _problem(status: int) -> dict[str, Any]:
    said: dict[str, Any] = {"model": ProblemDetails, "description": STATUSES[status]}
    return said | ({"headers": headers(_OF[status])} if status in _OF else {})


CONDITIONS: Responses = {
    304: {"description": "What the reader has (`If-None-Match`) is what there is."},
    **problems(412),
}
