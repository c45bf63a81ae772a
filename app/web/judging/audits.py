"""`/audits`: what `startrail audit` found in a corpus and was told to keep, with the passages as they are now."""

import math
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import NotFound, UserError
from app.evaluation.audited import SUFFIX, AuditRanking, CorpusAudit, read_audit
from app.settings import Settings
from app.store.behind import passages_at
from app.store.corpora import find_corpus
from app.store.showing import hidden_corpora
from app.store.tables import Passage
from app.web.judging.audit_figures import spread
from app.web.judging.figures import Figure
from app.web.site import urls
from app.web.site.context import Config, Db
from app.web.site.links import PageUrl
from app.web.site.params import AuditName
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.tables import table, table_route
from app.words.auditing import OWN, way_label, way_sentence

router = APIRouter()
SHOWN = 50  # passages of each way on the page; the files have all
EXCERPT = 300
COLUMNS = ("by", "rank", "score", "row", "id", "text")


class OtherAudit(BaseModel):
    """An audit that can be shown."""

    name: str
    url: PageUrl
    chosen: bool


class AuditedPassage(BaseModel):
    """One passage of a list. `url` and `text` are empty where the corpus no longer has it; `lists` says in how many of the
    lists it stands."""

    rank: int
    score: float
    row: int
    id: str
    url: PageUrl | None
    text: str
    cut: bool
    lists: int


class AuditedBy(BaseModel):
    """One way of looking, and the first passages by it."""

    by: str
    label: str
    sentence: str
    among: int
    kept: int
    passages: list[AuditedPassage]


class UnwantedPrompt(BaseModel):
    """An output that should not be."""

    id: str
    prompt: str
    target: str


class AuditsPage(BaseModel):
    """The page; `lists` is empty where nothing was audited."""

    title: str = "Audits"
    name: str
    audits: list[OtherAudit]
    about: dict[str, Any]
    changed: bool
    outputs: list[UnwantedPrompt]
    lists: list[AuditedBy]
    figures: list[Figure]
    export_url: str


@page_route(router, "/audits", AuditsPage, "get_audits")
def audits_page(request: Request, session: Db, settings: Config, of: AuditName = "") -> Response:
    """Passages by self-influence and by influence on outputs that should not be (`of`: the audit), and how all are spread."""
    return respond(request, _page(session, settings, of), "audits.html")


@table_route(router, "/audits", "export_audits")
def audits_file(request: Request, session: Db, settings: Config, of: AuditName = "") -> Response:
    """Every passage that was kept, list by list."""
    _, found = _chosen(session, settings, of)
    rows: list[dict[str, Any]] = []
    if found is not None:
        texts = _passages(session, found)
        rows = [
            {"by": each.by, "rank": rank, "score": score, "row": row, "id": id_}
            | {"text": texts[row].text if row in texts else ""}
            for each in found.rankings
            for rank, (row, id_, score) in enumerate(zip(each.rows, each.ids, each.scores, strict=True), 1)
        ]
    return table(request, "audit", COLUMNS, rows)


def _page(session: Session, settings: Settings, of: str) -> AuditsPage:
    known, found = _chosen(session, settings, of)
    if found is None:
        return AuditsPage(
            name="", audits=[], about={}, changed=False, outputs=[], lists=[], figures=[], export_url=""
        )
    name, page = of or known[0], urls.audits(of=of)
    texts = _passages(session, found)
    often = Counter(row for each in found.rankings for row in each.rows)
    own = next((each for each in found.rankings if each.by == OWN and each.scores), None)
    least = math.log10(own.scores[-1]) if own and own.scores[-1] > 0 else None
    return AuditsPage(
        name=name,
        audits=[OtherAudit(name=each, url=urls.audits(of=each), chosen=each == name) for each in known],
        about=dict(found.about),
        changed=not texts and any(each.rows for each in found.rankings),
        outputs=[UnwantedPrompt(**each) for each in found.outputs],
        lists=[_list(each, texts, often) for each in found.rankings],
        figures=[spread(found.spread, least, len(own.rows) if own else 0, page)]
        if found.spread.counts
        else [],
        export_url=urls.twin(page, "csv"),
    )


def _list(each: AuditRanking, texts: dict[int, Passage], often: Counter[int]) -> AuditedBy:
    passages = []
    for rank, (row, id_, score) in enumerate(zip(each.rows[:SHOWN], each.ids, each.scores, strict=False), 1):
        passage = texts.get(row)
        text = passage.text if passage else ""
        passages.append(
            AuditedPassage(
                rank=rank,
                score=score,
                row=row,
                id=id_,
                url=urls.passage(passage.id) if passage else None,
                text=text[:EXCERPT],
                cut=len(text) > EXCERPT,
                lists=often[row],
            )
        )
    return AuditedBy(
        by=each.by,
        label=way_label(each.by),
        sentence=way_sentence(each.by),
        among=each.among,
        kept=len(each.rows),
        passages=passages,
    )


def _chosen(session: Session, settings: Settings, of: str) -> tuple[list[str], CorpusAudit | None]:
    """The names of all audits that may be seen, and the one that was asked for, or the first; None where there is none.

    Raises:
        NotFound: there is none of this name.
    """
    hidden, known = hidden_corpora(session), {}
    for file in sorted((settings.home / "audits").glob(f"[!.]*{SUFFIX}")):
        try:
            audit = _read(file, file.stat().st_mtime_ns)
        except (UserError, OSError):
            if file.stem == of and not hidden:
                raise
            continue
        if audit.about["corpus"] not in hidden:
            known[file.stem] = audit
    if of and of not in known:
        raise NotFound(
            f"There is no audit “{of}”.", field="of", remedy=f"There are: {', '.join(known) or 'none'}."
        )
    return list(known), known[of or next(iter(known))] if known else None


def _passages(session: Session, found: CorpusAudit) -> dict[int, Passage]:
    """The passages of its lists by their rows; none where the corpus of this name is another now."""
    corpus = find_corpus(session, found.about["corpus"])
    if corpus is None or corpus.sha256 != found.about.get("corpus_sha256"):
        return {}
    return passages_at(session, corpus, sorted({row for each in found.rankings for row in each.rows}))


@lru_cache(maxsize=16)
def _read(file: Path, changed: int) -> CorpusAudit:
    """The audit, read once for each state of its file."""
    return read_audit(file)
