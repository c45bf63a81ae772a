"""What an example's page says above its passages: which is the first that states the fact, which phrases are shared."""

from collections.abc import Callable, Sequence

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.store.examples import Example
from app.store.phrases import MOST, phrase_counts
from app.store.slicing import ENTAILED
from app.store.tables import Run
from app.web.evidence.cards import Card
from app.web.marking.verbatim import stretches
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.passages import PROPONENT

STRETCHES = 8


class Stating(BaseModel):
    """The first proponent that states the fact, as its corpus knows or, where it knows of none, as AIS judges."""

    rank: int
    by_ais: bool
    url: PageUrl


class SharedWords(BaseModel):
    """Words that passages share verbatim with prompt and answer; `passages` of the corpus have them (None: many)."""

    text: str
    words: int
    passages: int | None


def first_stating(example: Example, here: Callable[..., str]) -> Stating | None:
    """Where it stands: on the page as it is, or on one that shows more."""
    rank, by_ais = example.result.first_correct_rank, False
    shown = example.on(PROPONENT)
    if rank is None:
        entailing = (row.rank for row in shown if (row.ais_score or 0.0) > ENTAILED)
        rank, by_ais = next(entailing, None), True
    if rank is None:
        return None
    if any(row.rank == rank for row in shown):
        return Stating(rank=rank, by_ais=by_ais, url=f"#p{rank}")
    return Stating(rank=rank, by_ais=by_ais, url=here(show=urls.show_for(rank)) + f"#p{rank}")


def rarest_stretches(session: Session, run: Run, cards: Sequence[Card]) -> list[SharedWords]:
    """The longest phrases that passages share with prompt and answer; of equally long ones the rarest first."""
    longest = stretches([(card.text, card.spans) for card in cards])[: STRETCHES * 2]
    counts = phrase_counts(session, run.corpus_id, [text for text, _ in longest])
    ordered = sorted(longest, key=lambda each: (-each[1], counts.get(each[0], 0)))[:STRETCHES]
    return [
        SharedWords(text=text, words=n, passages=count if (count := counts.get(text, 0)) <= MOST else None)
        for text, n in ordered
    ]
