"""`/runs/{run}/prompts/{prompt}/cite`: how to cite an example, on a page and as BibTeX or text."""

import hashlib
import json

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.store.origins import origin_of
from app.web.evidence.explained import explained_of
from app.web.reading.citing import Cited, bibtex, plain
from app.web.reading.shared import method_name, shared
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.downloads import TYPES, etag, unless_known
from app.web.site.params import Explains, Slug
from app.web.site.respond import origin, page_route, respond
from app.web.site.serialize import text_bytes
from app.words.answers import SAID, TARGET

router = APIRouter()


class CitePage(BaseModel):
    """Both citations and the permalink they name."""

    title: str
    prompt: str
    target: str
    model: str
    corpus: str
    permalink: str
    example_url: str
    text: str
    bibtex: str
    text_url: str
    bibtex_url: str


@router.get("/runs/{run}/prompts/{prompt}/cite.{kind}", include_in_schema=False)
def cite_file(
    request: Request, db: Db, run: Slug, prompt: Slug, kind: Slug, explains: Explains = SAID
) -> Response:
    """The citation as `.bib` or `.txt`; `.json` is the page's twin."""
    if kind not in ("bib", "txt"):
        return cite(request, db, run, prompt, explains)
    cited = _cited(request, db, run, prompt, explains)
    body = text_bytes(bibtex(cited) if kind == "bib" else plain(cited))
    return unless_known(request, etag(body), body, TYPES[kind])


@page_route(router, "/runs/{run}/prompts/{prompt}/cite")
def cite(request: Request, db: Db, run: Slug, prompt: Slug, explains: Explains = SAID) -> Response:
    """How to cite this example."""
    cited = _cited(request, db, run, prompt, explains)
    given = TARGET if explains == TARGET else ""
    page = CitePage(
        title=f"Cite: {cited.prompt} {cited.target.strip()}",
        prompt=cited.prompt,
        target=cited.target,
        model=cited.model,
        corpus=cited.corpus,
        permalink=cited.url,
        example_url=urls.example(run, prompt, explains=given),
        text=plain(cited),
        bibtex=bibtex(cited),
        text_url=urls.cite(run, prompt, ".txt", explains=given),
        bibtex_url=urls.cite(run, prompt, ".bib", explains=given),
    )
    return respond(request, page, "cite.html")


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
