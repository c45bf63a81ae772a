"""Asks the application for its pages, one after another, and writes them as files that name each other relatively."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
from sqlalchemy.orm import Session
from starlette.applications import Starlette

from app.errors import UserError
from app.paths import STATIC
from app.publish.listing import A_PAGE, index_files, passage_page, prompt_pages
from app.publish.paths import file_of, own_path, relative
from app.publish.rewrite import rewritten
from app.publish.rows import passages_named, prompts_of
from app.publish.seen import ANYBODY, headers_of, seeing
from app.store.engine import Store
from app.store.readers import Visitor
from app.store.runs import get_run, list_runs
from app.store.tables import Run
from app.web.finds.finds import KINDS
from app.web.site import urls
from app.web.site.sheets import content, is_part

HOST = "http://localhost"
SHOWN = 4  # passages a side of an example; the plot leads to the others
MOST = 100_000  # examples of a copy: a page each
# Parameters that say from which list a reader came: the page is the same from any.
FROM_A_LIST = frozenset(
    {"task", "relation", "frequency", "right", "confidence", "stated", "ais", "q", "where", "sort"}
)
NOT_COPIED = frozenset({"upload.js", "favicon.ico"})
FEED = "finds.atom"
FRAME = urls.about  # the page whose head and foot the lists stand between
MAIN = '<main id="main" tabindex="-1">'

Progress = Callable[[int, int], None]


def chosen_runs(session: Session, slugs: Sequence[str]) -> list[Run]:
    """The runs named; where none is, the one that lists begin with of each prompt set.

    Raises:
        NotFound: a name is unknown.
    """
    if slugs:
        return [get_run(session, slug) for slug in dict.fromkeys(slugs)]
    first: dict[int, Run] = {}
    for run in list_runs(session):
        if run.status == "done":
            first.setdefault(run.prompt_set_id, run)
    return list(first.values())


class SiteCopy:
    """A static copy in the making."""

    def __init__(
        self, app: Starlette, store: Store, slugs: Sequence[str], address: str = "", reader: Visitor = ANYBODY
    ) -> None:
        """Look up what is to be copied.

        Args:
            app: the application over the settings that `seen.opened` gives.
            reader: as whom the site is seen: `seen.ANYBODY` is shown nothing that is private or unlisted.
            address: where the copy will stand, for what must name it whole: the feed, which is left out without it.

        Raises:
            NotFound: there is no run of a name. UserError: the runs have more prompts than a copy holds.
        """
        self._app, self._store, self._address = app, store, address.rstrip("/")
        self._reader = reader
        with seeing(reader), store.session() as session:
            runs = chosen_runs(session, slugs)
            if sum(run.prompt_count for run in runs) > MOST:
                raise UserError(
                    f"The runs have more than {MOST:,} prompts, and each is a page.",
                    field="--run",
                    remedy="Name fewer or smaller runs.",
                )
            self._rows = [row for run in runs for row in prompts_of(session, run)]
            plain = [*_own(runs)]
        self._examples = frozenset(urls.example(row.run, row.slug) for row in self._rows)
        lists = max(1, -(-len(self._rows) // A_PAGE))
        made_here = [urls.prompts(), *(f"{urls.prompts()}/{n}" for n in range(2, lists + 1))]
        named = {path: file_of(path) for path in [*plain, *sorted(self._examples), *made_here]}
        self._files = {path: file for path, file in named.items() if file is not None}
        self._asked = [path for path in self._files if path not in made_here]
        self._twins = {urls.twin(path): urls.twin(path)[1:] for path in plain if path in self._files}
        self._passages: set[int] = set()

    async def write(self, out: Path, progress: Progress) -> int:
        """Write the copy into a directory; returns how many pages it has."""
        _copy_statics(out)
        transport = httpx.ASGITransport(app=self._app)
        said = headers_of(self._reader)
        async with (
            self._app.router.lifespan_context(self._app),  # which closes what the application opened
            httpx.AsyncClient(transport=transport, base_url=HOST, headers=said) as client,
        ):
            for done, path in enumerate(self._asked, start=1):
                query = f"?show={SHOWN}" if path in self._examples else ""
                self._page(out, path, await _text(client, path + query))
                progress(done, len(self._asked))
            frame = await _text(client, FRAME())
            for path, file in self._twins.items():
                _write(out / file, self._placed(await _text(client, path)))
            if self._address:
                _write(out / FEED, self._placed(await _text(client, urls.finds_feed())))
        self._made_here(out, frame)
        return len(self._files) + len(self._passages)

    def _made_here(self, out: Path, frame: str) -> None:
        """Lists, index and passages, which the server makes for each question; here they are made once."""
        index = list(index_files(self._rows))
        for path, inside in prompt_pages(self._rows, len(index)):
            self._page(out, path, _framed(frame, "Prompts", inside))
        for name, rows in index:
            _write(out / name, rows)
        with seeing(self._reader), self._store.session() as session:
            for id_, external_id, text, corpus in passages_named(session, self._passages):
                file = f"passages/{id_}/index.html"
                links = {
                    "sheet": relative("static/passage.css", file),
                    "home": relative("index.html", file),
                    "corpus": self._named(urls.corpus(corpus), file),
                }
                _write(out / file, _encoded(passage_page(id_, external_id, text, **links)))

    def _placed(self, text: str) -> bytes:
        """With the copy's address, where it is known, in place of the one that it was asked at."""
        return _encoded(text.replace(HOST, self._address))

    def _page(self, out: Path, path: str, html: str) -> None:
        page = self._files[path]
        style, script = (relative(f"static/{name}", page) for name in ("copy.css", "copy.js"))
        root = relative("index.html", page)
        head = (
            f'<link rel="stylesheet" href="{style}"><script src="{script}" data-root="{root}" defer></script>'
        )
        _write(out / page, _encoded(rewritten(html, lambda address: self._named(address, page), head)))

    def _named(self, address: str, page: str) -> str | None:
        """How the page in the file `page` names an address of the site; None where that is not in the copy."""
        path, parts = own_path(address), urlsplit(address)
        if path is None:
            return None
        if path.startswith("/static/"):
            file = file_of(path)
            return relative(file, page) if file and _is_copied(path.removeprefix("/static/")) else None
        if path.startswith("/passages/") and (number := path.removeprefix("/passages/")).isdecimal():
            if parts.fragment:  # what else it was found for is not told there
                return None
            self._passages.add(int(number))
            return relative(f"passages/{number}/index.html", page)
        if path in self._twins:
            return None if parts.query else relative(self._twins[path], page)
        if path == urls.finds_feed():
            return relative(FEED, page) if self._address else None
        file = self._files.get(path if path == "/" else path.rstrip("/"))
        if file is None:
            return None
        if path == urls.prompts():
            return relative(file, page) + (f"?{parts.query}" if parts.query else "")
        if {name for name, _ in parse_qsl(parts.query)} - FROM_A_LIST:
            return None
        return relative(file, page) + (f"#{parts.fragment}" if parts.fragment else "")


def _own(runs: Sequence[Run]) -> Iterator[str]:
    """The addresses of the pages beside the examples."""
    yield from (
        urls.home(),
        urls.finds(),
        *map(urls.finds, KINDS),
        urls.mistakes(),
        urls.runs(),
        urls.evaluation(),
    )
    yield from (urls.truth(), urls.methods(), urls.about(), urls.glossary(), urls.models(), urls.corpora())
    yield from (urls.run(run.slug) for run in runs)
    yield from dict.fromkeys(urls.model(run.model.name) for run in runs)
    yield from dict.fromkeys(urls.corpus(run.corpus.name) for run in runs)


def _framed(frame: str, title: str, inside: str) -> str:
    head, _, rest = frame.replace(' aria-current="page"', "").partition(MAIN)
    foot = rest.partition("</main>")[2]
    return f"{head.replace('<title>About', f'<title>{title}', 1)}{MAIN}{inside}</main>{foot}"


def _is_copied(name: str) -> bool:
    if name.startswith("vendor/") or name in NOT_COPIED or is_part(name):
        return False
    return (STATIC / unquote(name)).is_file()


def _copy_statics(out: Path) -> None:
    files: Iterable[Path] = (each for each in sorted(STATIC.rglob("*")) if each.is_file())
    for file in files:
        name = file.relative_to(STATIC).as_posix()
        if _is_copied(name):
            _write(out / "static" / name, content(name))
    _write(out / "favicon.ico", (STATIC / "favicon.ico").read_bytes())


async def _text(client: httpx.AsyncClient, address: str) -> str:
    """A page of the application.

    Raises:
        UserError: it does not answer with one.
    """
    answer = await client.get(address)
    if answer.status_code != 200:
        raise UserError(
            f"The page {address} answers {answer.status_code}, so the copy would lack it.", status=500
        )
    return answer.text


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
