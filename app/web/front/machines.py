"""What programs ask a site for: `/robots.txt`, `/sitemap.xml` in chunks, `/favicon.ico`."""

from collections.abc import Iterable

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import NotFound
from app.paths import STATIC
from app.store.behind import list_models
from app.store.corpora import list_corpora
from app.store.runs import list_runs
from app.store.sitemap import addresses, chunk_count
from app.web.finds.atom import said
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.downloads import etag, unless_known
from app.web.site.params import Id
from app.web.site.respond import origin

router = APIRouter()
# Addresses without end: a page that asks the machine to work, or one of many views of a page that is listed itself.
NOT_FOR_CRAWLERS = ("/random", "/go", "/api/", "/trace", "/upload", "/*?", "/*.json$", "/*.csv$", "/*.jsonl$")
CARDS = "/*/card.png"


@router.get("/robots.txt", include_in_schema=False)
def robots(request: Request) -> Response:
    """What crawlers may read: every page once, and the pictures."""
    lines = ["User-agent: *", f"Allow: {urls.at(CARDS)}"]
    lines += [f"Disallow: {urls.at(path)}" for path in NOT_FOR_CRAWLERS]
    lines += ["", f"Sitemap: {origin(request)}{urls.sitemap()}", ""]
    body = "\n".join(lines).encode()
    return unless_known(request, etag(body), body, "text/plain; charset=utf-8")


@router.get("/sitemap.xml", include_in_schema=False)
def sitemap_index(request: Request, session: Db) -> Response:
    """The list of sitemaps: one of the site's own pages, then one for each 5,000 results of runs."""
    base = origin(request)
    maps = (
        f"<sitemap><loc>{said(base + urls.sitemap(n))}</loc></sitemap>"
        for n in range(chunk_count(session) + 1)
    )
    return _xml(request, "sitemapindex", maps)


@router.get("/sitemap-{id}.xml", include_in_schema=False)
def sitemap(request: Request, session: Db, id: Id) -> Response:
    """One sitemap: number 0 has the site's own pages, the others examples."""
    base = origin(request)
    if id == 0:
        return _xml(request, "urlset", (_place(base + url) for url in _own(session)))
    if id > chunk_count(session):
        raise NotFound(f"There is no sitemap {id}.", remedy="/sitemap.xml lists them.")
    found = (
        _place(base + urls.example(run, prompt), f"{when:%Y-%m-%d}")
        for run, prompt, when in addresses(session, id)
    )
    return _xml(request, "urlset", found)


@router.get("/favicon.ico", include_in_schema=False)
def favicon(request: Request) -> Response:
    """The mark, for browsers that ask for it by its old name."""
    body = (STATIC / "favicon.ico").read_bytes()
    return unless_known(
        request, etag(body), body, "image/vnd.microsoft.icon", {"Cache-Control": "public, max-age=86400"}
    )


def _own(session: Session) -> Iterable[str]:
    yield from (urls.home(), urls.finds(), urls.mistakes(), urls.prompts(), urls.runs(), urls.evaluation())
    yield from (urls.methods(), urls.about(), urls.glossary(), urls.docs(), urls.models(), urls.corpora())
    yield from (urls.run(run.slug) for run in list_runs(session))
    yield from (urls.model(each.name) for each in list_models(session))
    yield from (urls.corpus(each.name) for each in list_corpora(session))


def _place(url: str, changed: str = "") -> str:
    when = f"<lastmod>{changed}</lastmod>" if changed else ""
    return f"<url><loc>{said(url)}</loc>{when}</url>"


def _xml(request: Request, kind: str, parts: Iterable[str]) -> Response:
    body = "\n".join(
        (
            '<?xml version="1.0" encoding="utf-8"?>',
            f'<{kind} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
            *parts,
            f"</{kind}>",
        )
    ).encode()
    return unless_known(request, etag(body), body, "application/xml")
