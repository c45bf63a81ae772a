"""`/upload`: results files in the paper's format, by upload, by address, or from the operator's presets.

A file is taken in, then imported in a thread of its own while `/upload/{job}` shows how far it is. What the
operator allows is in the settings: upload_enabled, upload_token, upload_limit_mb, fetch_hosts. Scripts post the
same forms to `/api/uploads` and get JSON.
"""

import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from app.errors import NotFound, UserError
from app.files import json_line, put
from app.interchange.fields import Fields
from app.interchange.results_words import example
from app.settings import Settings
from app.store import audit
from app.store.engine import Store
from app.web.loading.fetching import check, fetch
from app.web.loading.imports import Finish, Imports, Report, Work
from app.web.loading.multipart import need_room, receive_form, too_large
from app.web.loading.names import presets, run_name
from app.web.loading.taking_in import load_results
from app.web.site import urls
from app.web.site.context import Config
from app.web.site.downloads import download, etag
from app.web.site.respond import respond, wants_json
from app.web.site.routing import action_route, file_route, page_route
from app.web.site.serialize import json_bytes

router = APIRouter()
FIELDS = {  # of the form and the API -> what they name; as the options of `startrail import`
    "id_field": "ids",
    "prompt_field": "prompts",
    "target_field": "targets",
    "text_field": "list of the passages' texts",
}
FORM_OVERHEAD = 64 << 10  # what a form adds to its file


class PresetFile(BaseModel):
    """A results file the operator offers."""

    name: str
    size: int


class UploadPage(BaseModel):
    """What can be loaded, and how."""

    title: str = "Load a results file"
    enabled: bool
    token_needed: bool
    limit_mb: int
    limit: int
    hosts: list[str]
    presets: list[PresetFile]
    fields: dict[str, str] = FIELDS


class UploadTicket(BaseModel):
    """Where it says how far the file is: for people, and for scripts."""

    id: str
    stage: str = "waiting"
    url: str
    json_url: str


@page_route(router, "/upload", UploadPage, "get_upload_rules")
def upload(request: Request, settings: Config) -> Response:
    """What can be loaded, and how."""
    page = UploadPage(
        enabled=settings.uploading,
        token_needed=bool(settings.upload_token),
        limit_mb=settings.upload_limit_mb,
        limit=_limit(settings),
        hosts=sorted(settings.fetch_hosts),
        presets=[PresetFile(name=p.name, size=p.stat().st_size) for p in presets(settings.home)],
    )
    return respond(request, page, "upload.html")


@file_route(router, "/upload/example.jsonl", "get_results_example")
def example_file(request: Request) -> Response:
    """A results file with every field that the format has."""
    record = example()
    return download(request, "results-example", "jsonl", [json_line(record)], tag=etag(record), rows=1)


_OF_ALL = {
    "token": {"type": "string", "description": "Where the site asks for one; comes before `file`."},
    "run": {"type": "string", "description": "The run's name; else the file's."},
    **{
        name: {"type": "string", "description": f"The field with the {what}, if it is another."}
        for name, what in FIELDS.items()
    },
}
_ONE_OF: dict[str, dict[str, Any]] = {
    "file": {"type": "string", "format": "binary", "description": "A results file, .jsonl or .jsonl.gz."},
    "url": {
        "type": "string",
        "format": "uri",
        "pattern": "^https?://[a-z]",
        "description": "Instead of `file`: its address at a host the operator listed.",
    },
    "preset": {"type": "string", "description": "Instead of `file`: a file the upload page offers."},
}
_FORM = {
    "oneOf": [
        {
            "type": "object",
            "properties": {**_OF_ALL, name: each},
            "required": [name],
            "additionalProperties": False,
        }
        for name, each in _ONE_OF.items()
    ]
}


@router.post("/upload", include_in_schema=False)
@action_route(
    router, "/uploads", UploadTicket, "upload_results", old="/api/uploads",
    body={"multipart/form-data": {"schema": _FORM}}, statuses=(415, 507),
)  # fmt: skip
async def receive(request: Request, settings: Config) -> Response:
    """Take one file in: a form with `file`, or `url`, or `preset`; beside it `run` (its name), `token` and `FIELDS`."""
    _open(settings)
    imports: Imports = request.app.state.imports
    limit = _limit(settings)
    said = _length(request)
    if said > 2 * limit + FORM_OVERHEAD:
        raise too_large(limit)
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    id_ = imports.new()
    path = imports.path(id_)
    need_room(path.parent, said)
    form = await receive_form(
        request.stream(),
        request.headers.get("content-type", ""),
        path,
        limit=limit,
        known=(*_OF_ALL, *_ONE_OF),
        allow=lambda fields: _authorize(settings, fields.get("token") or bearer),
    )
    try:
        _authorize(settings, form.fields.get("token") or bearer)
        filename = form.filename if form.path else ""
        named = [each for each in _ONE_OF if each in form.fields or (each == "file" and filename)]
        if len(named) != 1:
            raise _no_choice(named)
        # Looking a host's address up may take seconds; the loop serves other readers meanwhile.
        await run_in_threadpool(_start, request, settings, id_, form.fields, filename)
    except BaseException:
        imports.discard(id_)
        raise
    address = urls.import_(id_)
    if wants_json(request):
        body = json_bytes(UploadTicket(id=id_, url=address, json_url=urls.api(address)))
        return Response(body, 202, {"Location": address}, "application/json")
    return RedirectResponse(address, 303)


def _start(request: Request, settings: Settings, id_: str, fields: dict[str, str], filename: str) -> None:
    """Begin the import of the file that came, of the one at the address given, or of a preset."""
    imports: Imports = request.app.state.imports
    fetched = ""
    if "url" in fields:
        file = fetched = fields["url"].strip()
        check(fetched, settings.fetch_hosts)
        source = imports.path(id_, urlsplit(fetched).path)
    elif "preset" in fields:
        file, source = fields["preset"], _preset(settings, fields["preset"])
    elif filename:
        file, source = filename, imports.path(id_, filename)
        put(imports.path(id_), source)
    else:  # a form that gives the file no name has its text among the fields
        file, source = "results", imports.path(id_)
        source.write_text(fields["file"], "utf-8", "surrogatepass")
    named = fields.get("run", "").strip()
    run = named or run_name(file)
    given = Fields(**{name.removesuffix("_field"): fields.get(name, "").strip() for name in FIELDS})
    work = _work(imports.store, settings, source, file, run, given, rename=not named, fetched=fetched)
    imports.start(id_, file, run, work)
    with imports.store.session() as session:
        audit.record(session, "import", run, file=file)


def _no_choice(named: Sequence[str]) -> UserError:
    if named:
        return UserError(
            f"There is more than one: {', '.join(named)}.", remedy="Send one at a time.", field=named[0]
        )
    return UserError("No file was chosen.", remedy="Choose a file, or write an address.", field="file")


def _preset(settings: Settings, name: str) -> Path:
    for path in presets(settings.home):
        if path.name == name:
            return path
    raise NotFound(f"There is no preset “{name}”.", remedy="The upload page lists them.", field="preset")


def _work(
    store: Store,
    settings: Settings,
    source: Path,
    file: str,
    run: str,
    fields: Fields,
    *,
    rename: bool,
    fetched: str,
) -> Work:
    """What the import does: first get the file from the address `fetched`, if there is one."""

    def work(report: Report, finish: Finish) -> None:
        if fetched:
            fetch(
                fetched,
                source,
                hosts=settings.fetch_hosts,
                limit=_limit(settings),
                progress=lambda done, total: report("fetching", done, total),
            )
        limit = _limit(settings)
        load_results(
            store, source, file, run, fields, rename=rename, limit=limit, report=report, finish=finish
        )

    return work


def _open(settings: Settings) -> None:
    if not settings.uploading:
        raise UserError(
            "Loading files is switched off here.",
            remedy="Ask the operator, or run Startrail yourself: startrail import FILE --run NAME.",
            status=403,
        )


def _authorize(settings: Settings, token: str) -> None:
    wanted = settings.upload_token
    if wanted and not hmac.compare_digest(token.encode("utf-8", "replace"), wanted.encode()):
        raise UserError(
            "The token is not right.", remedy="Ask the operator for it.", field="token", status=403
        )


def _length(request: Request) -> int:
    """How many bytes the sender says there are."""
    said = request.headers.get("content-length", "0")
    if not (said.isascii() and said.isdecimal() and len(said) < 20):
        raise UserError("The length of the body is no number.", remedy="Send it again.", status=400)
    return int(said)


def _limit(settings: Settings) -> int:
    return settings.upload_limit_mb << 20
