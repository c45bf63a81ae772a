"""The only place that makes a URL. Every address begins at the root of its host, or at the path below which a proxy shows it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from app.web.site.sheets import content
from app.words.glossary import term as explained
from app.words.methods import method_of

API = "/api/v1"  # below it every page stands as JSON, and every file
SHOWN = (20, 200, 2_000, 5_000)  # passages on an example's page: at first, and each time a reader wants more

ROOT: ContextVar[str] = ContextVar("root", default="")  # `/startrail`; `proxy.Proxied` sets it


def at(path: str) -> str:
    """The address of a path of this site."""
    return ROOT.get() + path


def home() -> str:
    """The front page."""
    return at("/")


def prompts(**query: object) -> str:
    """Browse prompts; keyword arguments become the query, empty ones are left out."""
    return with_query(at("/prompts"), query)


def random_prompt(run_slug: str, **query: object) -> str:
    """A prompt drawn from a run's list."""
    return with_query(at("/random"), {"run": run_slug, **query})


def go_to() -> str:
    """Where the form goes that asks for the n-th prompt of a list."""
    return at("/go")


def runs(**query: object) -> str:
    """All runs, or those of a `method`."""
    return with_query(at("/runs"), query)


def run(slug: str, **query: object) -> str:
    """One run."""
    return with_query(at(f"/runs/{quote(slug)}"), query)


def models() -> str:
    """All models."""
    return at("/models")


def model(name: str, **query: object) -> str:
    """One model."""
    return with_query(at(f"/models/{quote(name, errors='replace')}"), query)


def corpora() -> str:
    """All corpora."""
    return at("/corpora")


def corpus(name: str) -> str:
    """One corpus."""
    return at(f"/corpora/{quote(name, errors='replace')}")


def example(run_slug: str, prompt_slug: str, **query: object) -> str:
    """One prompt's output and its proponents in one run."""
    return with_query(at(f"/runs/{quote(run_slug)}/prompts/{quote(prompt_slug)}"), query)


def proponent(run_slug: str, prompt_slug: str, rank: int, side: str = "proponent", explains: str = "") -> str:
    """One passage of an example: the page that shows so many that the passage is among them, and its place there."""
    place = example(run_slug, prompt_slug, explains=explains, show=show_for(rank))
    return f"{place}#{side[0]}{rank}"


def show_for(rank: int) -> int | None:
    """How many passages an example's page must show so that this one is among them; None for the usual number."""
    enough = next((many for many in SHOWN if many >= rank), SHOWN[-1])
    return None if enough == SHOWN[0] else enough


def token_influence(run_slug: str, prompt_slug: str, **query: object) -> str:
    """Where to ask for the token influence of an example's passages."""
    return with_query(f"{example(run_slug, prompt_slug)}/tokens", query)


def example_span(run_slug: str, prompt_slug: str, **query: object) -> str:
    """Where to ask about some words of an example's answer."""
    return with_query(f"{example(run_slug, prompt_slug)}/span", query)


def passage(id_: int, **query: object) -> str:
    """One passage and what it was found for."""
    return with_query(at(f"/passages/{id_}"), query)


def trace_form(**query: object) -> str:
    """Ask a question."""
    return with_query(at("/trace"), query)


def trace(id_: str, part: str = "", **query: object) -> str:
    """One answered, or waiting, question; or a part of it: `events`, `cancel`, `steps`, `span`."""
    return with_query(at(f"/traces/{quote(id_)}") + (f"/{part}" if part else ""), query)


def batch(id_: str) -> str:
    """Questions asked together, which only the API knows."""
    return at(f"/batches/{quote(id_)}")


def evaluation(**query: object) -> str:
    """Methods against each other."""
    return with_query(at("/evaluation"), query)


def evaluation_prompts(**query: object) -> str:
    """The prompts behind a figure of `/evaluation`."""
    return with_query(at("/evaluation/prompts"), query)


def finds(kind: str = "") -> str:
    """What is worth a look, or those of one kind."""
    return at("/finds") + (f"/{kind}" if kind else "")


def finds_feed() -> str:
    """The finds as a feed."""
    return at("/finds.atom")


def mistakes(**query: object) -> str:
    """What the model answered wrong."""
    return with_query(at("/finds/mistakes"), query)


def methods(name: str = "") -> str:
    """The registry of methods, or the entry of the one that runs call `name`."""
    return at("/methods") + (f"#{quote(method_of(name).name)}" if name else "")


def truth(**query: object) -> str:
    """Which method foretold what models trained without parts of the corpus say."""
    return with_query(at("/truth"), query)


def without(id_: str = "", part: str = "", **query: object) -> str:
    """Train without passages; one such training; or a part of it: `cancel`."""
    return with_query(at("/".join(["/without", *(quote(each) for each in (id_, part) if each)])), query)


def audits(**query: object) -> str:
    """Passages that may have no business in a corpus."""
    return with_query(at("/audits"), query)


def about() -> str:
    """The method in plain words."""
    return at("/about")


def glossary(term: str = "") -> str:
    """What the terms on pages mean, or the place of one.

    Raises:
        KeyError: nothing explains the term.
    """
    return at("/glossary") + (f"#{term}" if term and explained(term) else "")


def docs() -> str:
    """The API."""
    return at("/docs")


def sign_in(**query: object) -> str:
    """Sign in; `next` is where to go then, below the site's root."""
    return with_query(at("/sign-in"), query)


def sign_out() -> str:
    """Sign out."""
    return at("/sign-out")


def admin(part: str = "") -> str:
    """What the operator sees and changes, or where one of its forms goes."""
    return at("/admin") + (f"/{part}" if part else "")


def status() -> str:
    """How the site does."""
    return at("/status")


def compare_index() -> str:
    """Choose what to compare."""
    return at("/compare")


def compare(prompt_slug: str, runs: Sequence[str], depth: int | None = None, explains: str = "") -> str:
    """Two to four runs on one prompt."""
    asked = {"runs": ",".join(runs), "depth": depth, "explains": explains}
    return with_query(at(f"/compare/{quote(prompt_slug)}"), asked)


def differences(runs: Sequence[str]) -> str:
    """Prompts on which two runs differ most."""
    return with_query(at("/compare"), {"runs": ",".join(runs)})


def upload() -> str:
    """Load a results file."""
    return at("/upload")


def api_uploads() -> str:
    """Where scripts send results files."""
    return at("/api/uploads")


def import_(id_: str) -> str:
    """How far one results file is on its way in."""
    return at(f"/upload/{quote(id_)}")


def card(url: str) -> str:
    """The picture of a page for sites that show links; `url` may have a query, which stays."""
    parts = urlsplit(url)
    return f"{parts.path.rstrip('/')}/card.png" + (f"?{parts.query}" if parts.query else "")


def sitemap(number: int | None = None) -> str:
    """The list of sitemaps, or one of them."""
    return at("/sitemap.xml" if number is None else f"/sitemap-{number}.xml")


def oembed(address: str) -> str:
    """How to embed the page at a whole address."""
    return with_query(at("/oembed"), {"url": address, "format": "json"})


def cite(run_slug: str, prompt_slug: str, suffix: str = "", **query: object) -> str:
    """How to cite an example; with `.bib` or `.txt`, as a file."""
    return with_query(f"{example(run_slug, prompt_slug)}/cite{suffix}", query)


def twin(url: str, suffix: str = "json") -> str:
    """The same page in another form: its path with `.json` (or another suffix), its query kept."""
    parts = urlsplit(url)
    path = parts.path.removeprefix(ROOT.get()).rstrip("/") or "/index"
    return at(f"{path}.{suffix}") + _rest(parts)


def api(url: str) -> str:
    """The same page, or file, at its address in the API, its query kept."""
    parts = urlsplit(url)
    path = parts.path.removeprefix(ROOT.get()).rstrip("/")
    return at(API + path) + _rest(parts)


def _rest(parts: SplitResult) -> str:
    """Query and fragment as they stood."""
    return urlunsplit(("", "", "", parts.query, parts.fragment))


def static(name: str) -> str:
    """A file of static/, with a hash of its content so that browsers may keep it for ever."""
    return at(f"/static/{quote(name)}?v={_content_hash(name)}")


def with_query(path: str, query: Mapping[str, object]) -> str:
    """The path with those parameters that say something, in the order given."""
    pairs = [
        (name.rstrip("_"), str(each))
        for name, value in query.items()
        for each in ([value] if isinstance(value, str) or not isinstance(value, Iterable) else value)
        if not (each is None or each is False or each == "")
    ]
    return f"{path}?{urlencode(pairs, safe=',', errors='replace')}" if pairs else path


def replaced(url: str, **changes: object) -> str:
    """The same address with some query parameters changed; None or an empty string drops one."""
    parts = urlsplit(url)
    return with_query(parts.path, dict(parse_qsl(parts.query)) | changes)


@lru_cache
def _content_hash(name: str) -> str:
    return hashlib.sha256(content(name)).hexdigest()[:10]
