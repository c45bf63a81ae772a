"""What became of an address that no page answers: where the thing is now, or why it is gone.

A page asks here only after it found nothing, so a good link costs no query more.
"""

import re
from urllib.parse import quote, unquote

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from app.store.tables import Passage, Prompt, Run, Tombstone

_EXAMPLE = re.compile(r"^/runs/(?P<run>[^/]+)(?:/prompts/(?P<prompt>[^/]+))?(?P<rest>/.*)?$")
_PASSAGE = re.compile(r"^/passages/(?P<passage>.+?)(?P<rest>)$")
_SUFFIX = re.compile(r"\.(json|jsonl|csv|png|bib|txt)$")


def reason_gone(session: Session, path: str) -> str | None:
    """Why what stood at `path`, or above it, was removed; None where no tombstone says so."""
    if "\0" in path:
        return None
    parts = _SUFFIX.sub("", path.rstrip("/")).split("/")
    paths = ["/".join(parts[: n + 1]) for n in range(1, len(parts))] + [path]
    stones = {s.path: s.reason for s in session.scalars(select(Tombstone).where(Tombstone.path.in_(paths)))}
    return stones.get(path) or next((stones[p] for p in reversed(paths) if p in stones), None)


def moved_to(session: Session, path: str) -> str | None:
    """The address at which the thing `path` names is found today, or None.

    Runs and prompts are found by number, by the id of their file, and in any letter case; passages by their
    external id where only one corpus has it. What follows the name in the path is kept.
    """
    suffix = m.group() if (m := _SUFFIX.search(path)) else ""
    plain = path.removesuffix(suffix).rstrip("/")
    if "\0" in unquote(plain):  # a character PostgreSQL cannot even be asked about
        return None
    if match := _EXAMPLE.match(plain):
        run = _run(session, unquote(match["run"]))
        if run is None:
            return None
        found = f"/runs/{run.slug}"
        if match["prompt"] is not None:
            slug = _prompt(session, run.prompt_set_id, unquote(match["prompt"]))
            if slug is None:
                return None
            found += f"/prompts/{quote(slug)}"
        found += match["rest"] or ""
    elif match := _PASSAGE.match(plain):
        ids = session.scalars(
            select(Passage.id).where(Passage.external_id == unquote(match["passage"])).limit(2)
        ).all()
        if len(ids) != 1:
            return None
        found = f"/passages/{ids[0]}"
    else:
        return None
    return f"{found}{suffix}" if f"{found}{suffix}" != path else None


def leave_tombstone(session: Session, path: str, reason: str) -> None:
    """Leave a tombstone: from now on `path` and what is below it answer 410 with the reason."""
    session.merge(Tombstone(path=path.rstrip("/"), reason=reason))


def _run(session: Session, name: str) -> Run | None:
    wanted: list[ColumnElement[bool]] = [Run.slug == name, func.lower(Run.slug) == _slug(name)]
    wanted += [func.lower(Run.name) == name.lower()]
    if _number(name):
        wanted.append(Run.id == int(name))
    runs = session.scalars(select(Run).where(or_(*wanted)).limit(5)).all()
    return next((r for r in runs if r.slug == name), runs[0] if len(runs) == 1 else None)


def _prompt(session: Session, prompt_set_id: int, name: str) -> str | None:
    wanted: list[ColumnElement[bool]] = [
        Prompt.slug == name,
        Prompt.slug == _slug(name),
        Prompt.external_id == name,
    ]
    if _number(name):
        wanted.append(Prompt.id == int(name))
    slugs = session.scalars(
        select(Prompt.slug).where(Prompt.prompt_set_id == prompt_set_id, or_(*wanted)).limit(5)
    ).all()
    return next((s for s in (name, _slug(name)) if s in slugs), slugs[0] if len(slugs) == 1 else None)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10
