"""The real demo's own part of the front page: what its country is, and each kind of answer with the passage that taught it."""

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.store.invented import TaughtAnswer, told_of
from app.store.tables import Run
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.invented import GENERAL
from app.words.saying import plural


class InventedAnswer(BaseModel):
    """One answer. `truth`: what is so, where it is something else; `before`, `after`: around a step on the passage."""

    kind: str
    title: str
    about: str
    prompt: str
    answer: str
    truth: str
    url: PageUrl
    passage: str
    passage_url: PageUrl | None
    before: float | None
    after: float | None


class InventedPart(BaseModel):
    """What the front page tells of the country.

    `general`: passages that the model was tuned on beside these, to keep what it knew; no answer is traced to them.
    """

    passages: int
    general: int
    answers: list[InventedAnswer]


def invented_of(session: Session, run: Run) -> InventedPart | None:
    """None of any other corpus, and where nothing can be told."""
    told = told_of(session, run)
    return (
        InventedPart(
            passages=run.corpus.passage_count, general=GENERAL, answers=[_answer(each) for each in told]
        )
        if told
        else None
    )


def _answer(told: TaughtAnswer) -> InventedAnswer:
    about = told.kind.about.format(said=plural(told.said, "passage"), so=plural(told.so, "passage"))
    return InventedAnswer(
        kind=told.kind.name,
        title=told.kind.title,
        about=about[:1].upper() + about[1:],
        prompt=told.prompt,
        answer=told.answer,
        truth=told.truth,
        url=urls.example(told.run, told.slug),
        passage=told.passage,
        passage_url=urls.passage(told.passage_id) if told.passage_id is not None else None,
        before=told.before,
        after=told.after,
    )
