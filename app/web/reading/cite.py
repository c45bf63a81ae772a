"""`/runs/{run}/prompts/{prompt}/cite`, `/traces/{id}/cite`: how to cite an answer, on a page and as BibTeX or text."""

import hashlib
import json

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import select
from starlette.responses import Response

from app.errors import UserError
from app.store import jobs, traces
from app.store.origins import NOTHING_SAID, origin_of
from app.store.tables import Corpus, Model
from app.tracing.trace_results import TraceResult
from app.web.evidence.claim import claim_of_trace
from app.web.evidence.explained import explained_of
from app.web.reading.citing import Cited, bibtex, plain
from app.web.reading.shared import method_name, shared
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.downloads import TYPES, etag, unless_known
from app.web.site.links import PageUrl
from app.web.site.params import Explains, Slug
from app.web.site.promised import problems
from app.web.site.respond import origin, respond
from app.web.site.routing import page_route
from app.web.site.serialize import text_bytes
from app.words.answers import SAID, TARGET
from app.words.chat_text import spoken
from app.words.methods import method_label

router = APIRouter()
FILES = ("bib", "txt")


class CitePage(BaseModel):
    """Both citations and the permalink they name."""

    title: str
    prompt: str
    target: str
    model: str
    corpus: str
    permalink: str
    example_url: PageUrl
    text: str
    bibtex: str
    text_url: str
    bibtex_url: str


@router.get("/runs/{run}/prompts/{prompt}/cite.{kind}", include_in_schema=False)
def cite_file(
    request: Request, db: Db, run: Slug, prompt: Slug, kind: Slug, explains: Explains = SAID
) -> Response:
    """The citation as `.bib` or `.txt`; `.json` is the page's twin."""
    if kind not in FILES:
        return cite(request, db, run, prompt, explains)
    return _file(request, _cited(request, db, run, prompt, explains), kind)


@page_route(router, "/runs/{run}/prompts/{prompt}/cite", CitePage, "cite_example")
def cite(request: Request, db: Db, run: Slug, prompt: Slug, explains: Explains = SAID) -> Response:
    """How to cite this example."""
    given = TARGET if explains == TARGET else ""
    page = _page(
        _cited(request, db, run, prompt, explains),
        urls.example(run, prompt, explains=given),
        urls.cite(run, prompt, ".txt", explains=given),
        urls.cite(run, prompt, ".bib", explains=given),
    )
    return respond(request, page, "cite.html")


@router.get("/traces/{trace_id}/cite.{kind}", include_in_schema=False)
def cite_trace_file(request: Request, db: Db, trace_id: Slug, kind: Slug) -> Response:
    """The same of a trace."""
    if kind not in FILES:
        return cite_trace(request, db, trace_id)
    return _file(request, _cited_trace(request, db, trace_id), kind)


@page_route(router, "/traces/{trace_id}/cite", CitePage, "cite_trace", also=problems(409))
def cite_trace(request: Request, db: Db, trace_id: Slug) -> Response:
    """How to cite this trace."""
    page = _page(
        _cited_trace(request, db, trace_id),
        urls.trace(trace_id),
        urls.trace(trace_id, "cite.txt"),
        urls.trace(trace_id, "cite.bib"),
    )
    return respond(request, page, "cite.html")


def _page(cited: Cited, back: str, text_url: str, bibtex_url: str) -> CitePage:
    return CitePage(
        title=f"Cite: {spoken(cited.prompt)} {cited.target.strip()}",
        prompt=cited.prompt,
        target=cited.target,
        model=cited.model,
        corpus=cited.corpus,
        permalink=cited.url,
        example_url=back,
        text=plain(cited),
        bibtex=bibtex(cited),
        text_url=text_url,
        bibtex_url=bibtex_url,
    )


def _file(request: Request, cited: Cited, kind: str) -> Response:
    body = text_bytes(bibtex(cited) if kind == "bib" else plain(cited))
    return unless_known(request, etag(body), body, TYPES[kind])


def _cited_trace(request: Request, db: Db, trace_id: str) -> Cited:
    """What a trace's citation names.

    Raises:
        NotFound: no such trace.
        UserError: it is not answered (HTTP 409).
    """
    job = jobs.find(db, trace_id)
    trace = traces.get(db, job.id)
    if trace is None:
        raise UserError("This trace has no answer to cite.", remedy="Wait until it is answered.", status=409)
    result = TraceResult.model_validate(trace.result)
    claim = claim_of_trace(trace, result, None)
    model = db.scalar(select(Model).where(Model.name == claim.model))
    corpus = db.scalar(select(Corpus).where(Corpus.name == claim.corpus))
    method = json.dumps(result.provenance.method, sort_keys=True, default=str)
    return Cited(
        prompt=claim.prompt,
        target=claim.lead + claim.said,
        instead=claim.contrast and claim.contrast.strip(),
        kind="trace",
        run=job.id,
        method=method_label(result.method),
        model=claim.model,
        corpus=claim.corpus,
        model_origin=origin_of(model) if model else NOTHING_SAID,
        corpus_origin=origin_of(corpus) if corpus else NOTHING_SAID,
        key="",
        url=origin(request) + urls.trace(job.id),
        when=jobs.utc(job.finished_at or job.created_at),
        configuration=hashlib.sha256(method.encode("utf-8", "replace")).hexdigest()[:12],
    )


def _cited(request: Request, db: Db, run: str, prompt: str, explains: str) -> Cited:
    example = shared(db, run, prompt, 0, explains)
    said = explained_of(example)
    target = TARGET if example.both and said.kind == TARGET else ""
    configuration = json.dumps(example.run.configuration, sort_keys=True)
    return Cited(
        prompt=example.prompt.text,
        target=said.text,
        instead=said.instead and said.instead.strip(),
        run=example.run.slug,
        method=method_name(example.run),
        model=example.run.model.name,
        corpus=example.run.corpus.name,
        model_origin=origin_of(example.run.model),
        corpus_origin=origin_of(example.run.corpus),
        key=example.prompt.slug,
        url=origin(request) + urls.example(example.listed.slug, example.prompt.slug, explains=target),
        when=example.run.finished_at or example.run.created_at,
        configuration=hashlib.sha256(configuration.encode("utf-8", "replace")).hexdigest()[:12],
    )
