"""A retrieved passage, as every page shows it: its text with marks, and what was measured of it for a prompt."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from app.store.examples import Example
from app.store.tables import Passage, Retrieved
from app.web.evidence.answered import probability_of
from app.web.evidence.chance import is_beyond
from app.web.evidence.lanes import after
from app.web.evidence.shading import ShadedToken, example_query, shades
from app.web.evidence.turns import Turn, turns_of
from app.web.marking.highlight import Span, entities, find
from app.web.marking.near import first_near_duplicates
from app.web.marking.verbatim import shared_spans
from app.web.marking.window import window, within
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.chance import Chance, read_chance
from app.words.passages import OPPONENT, TYPES, type_name


class PassageText(BaseModel):
    """A passage's text and its marks. Of a long one, `lead` is the part from `open_from` to `open_to` shown first.

    One with roles has them in `turns`, and in `lead_turns` the part of them shown first.
    """

    text: str
    spans: list[Span]
    open_from: int
    open_to: int
    lead: str | None
    lead_spans: list[Span]
    turns: list[Turn] = []
    lead_turns: list[Turn] = []


class Measured(BaseModel):
    """What is known of a passage for one prompt; `tail_patch` in percentage points after one training step on it,
    which led the answer's probability from `before` to `after` (None where nobody knows it); `halves`: among how many of
    the two halves of the projection's first ten it stands; `found`: the score by which a first stage found it, where a
    second gave `score` and `rank`."""

    rank: int
    original_rank: int | None = None
    score: float | None
    correct: bool | None = None
    kind: str | None = None
    kind_label: str | None = None
    ais_score: float | None = None
    ais_window: str | None = None
    tail_patch: float | None = None
    before: float | None = None
    after: float | None = None
    halves: int | None = None
    found: float | None = None


class Duplicate(BaseModel):
    """A passage all but equal to the one it is folded into."""

    passage_id: int
    rank: int
    url: PageUrl


class Elsewhere(BaseModel):
    """Where another list has the same passage: `rank` None where it does not, `lower` ranks further down than here."""

    name: str
    label: str
    rank: int | None
    lower: int = 0
    anchor: str | None = None  # of the card there, on the same page


class Card(PassageText, Measured):
    """One retrieved passage. `share` is its score over the highest of its list; `only_here`: no other list has it."""

    passage_id: int
    external_id: str
    url: PageUrl
    share: float = 0.0
    above_chance: bool | None = None  # beyond the floor of its side; None where that cannot be told
    found_for: int = 0
    tokens: list[ShadedToken] = []
    duplicates: list[Duplicate] = []
    elsewhere: list[Elsewhere] = []
    reasons: list[str] = []  # what it has to do with the answer, and where words would have put it
    only_here: bool = False

    @property
    def among_all(self) -> float | None:
        """The score that all passages have one like: the first stage's, where there are two."""
        return self.score if self.found is None else self.found


@dataclass(frozen=True)
class Shown:
    """What the cards of an example show beside their texts.

    Args:
        view: which spans are marked.
        found_for: for each passage, how many prompts of the run it is a proponent of.
        tokens: for the view `tokens`, what each token of a passage carries.
        most: the value of the darkest shade.
        said: the answer that is explained; empty: the prompt's target.
    """

    view: str
    found_for: Mapping[int, int]
    tokens: Mapping[int, list[ShadedToken]] = field(default_factory=dict)
    most: float = 0.0
    said: str = ""


def written(passage: Passage, spans: list[Span], around: Sequence[Span] = ()) -> PassageText:
    """A passage's text with `spans` marked, opened at them; at `around` where there are none."""
    text, roles = passage.text, passage.roles
    start, end = window(text, spans or around)
    folded = (start, end) != (0, len(text))
    return PassageText(
        text=text,
        spans=spans,
        open_from=start,
        open_to=end,
        lead=text[start:end] if folded else None,
        lead_spans=within(spans, start, end) if folded else [],
        turns=turns_of(text, roles, spans, (0, len(text))),
        lead_turns=turns_of(text, roles, spans, (start, end)) if folded else [],
    )


def measured(row: Retrieved, before: float | None = None) -> Measured:
    """What the store knows of one retrieved row; `before` is the probability of its prompt's target."""
    return Measured(
        rank=row.rank,
        original_rank=row.original_rank,
        score=row.score,
        correct=row.correct,
        kind=row.kind,
        kind_label=type_name(row.kind) if row.kind else TYPES["states"] if row.correct else None,
        ais_score=row.ais_score,
        ais_window=row.ais_window,
        tail_patch=row.tail_patch,
        halves=row.halves,
        before=before,
        after=None if before is None or row.tail_patch is None else after(before, row.tail_patch),
    )


def make_card(passage: Passage, said: Measured, shown: PassageText) -> Card:
    """The card of a passage, of which `said` was measured and whose text is `shown`."""
    return Card(
        **said.model_dump(),
        **{name: getattr(shown, name) for name in PassageText.model_fields},
        passage_id=passage.id,
        external_id=passage.external_id,
        url=urls.passage(passage.id),
    )


def with_shares(cards: Iterable[Card]) -> list[Card]:
    """The cards of one list with `share` filled in."""
    listed = list(cards)
    top = max((abs(card.score) for card in listed if card.score is not None), default=0.0)
    for card in listed:
        card.share = abs(card.score) / top if card.score is not None and top else 0.0
    return listed


def with_chance(cards: list[Card], chance: Chance | None, *, opponents: bool = False) -> list[Card]:
    """The cards of one list, each of which is now known to be more than chance or not.

    A first stage's score tells what stands out; of what does not, the second stage has still its own to say.
    """
    for card in cards:
        beyond = is_beyond(card.among_all, chance, opponent=opponents)
        card.above_chance = beyond if card.found is None else beyond or None
    return cards


def folded(cards: Sequence[Card]) -> list[Card]:
    """The cards in their order, near-duplicates folded into the first of their kind."""
    kept: dict[int, Card] = {}
    for at, (card, first) in enumerate(
        zip(cards, first_near_duplicates([card.text for card in cards]), strict=True)
    ):
        if first == at:
            kept[at] = card
        else:
            duplicate = Duplicate(passage_id=card.passage_id, rank=card.rank, url=card.url)
            kept[first].duplicates.append(duplicate)
    return list(kept.values())


def cards_of(example: Example, side: str, shown: Shown) -> list[Card]:
    """The passages of one side of an example, in rank order, near-duplicates folded."""
    rows = example.on(side)
    cards = [_card_of(example, row, shown) for row in rows]
    chance = read_chance(example.result.chance)
    return folded(with_chance(with_shares(cards), chance, opponents=side == OPPONENT))


def _card_of(example: Example, row: Retrieved, shown: Shown) -> Card:
    said = measured(row, probability_of(example.run.explains, example.output))
    text = row.passage.text
    names = _entity_spans(text, example, shown.said, said.ais_window)
    tokens = shown.tokens.get(row.passage_id, [])
    card = make_card(
        row.passage, said, written(row.passage, _spans(text, example, shown, names, tokens), names)
    )
    card.found_for = shown.found_for.get(row.passage_id, 0)
    card.tokens = tokens
    return card


def _entity_spans(text: str, example: Example, said: str, ais_window: str | None) -> list[Span]:
    """Where subject and answer of the example's prompt stand, the truth where it is another, and the part that an
    entailment model liked best."""
    prompt = example.prompt
    right = [prompt.target, *prompt.aliases]
    if not said or said in right:
        found = entities(text, prompt.subject, right)
    else:
        found = entities(text, prompt.subject, [said]) + find(text, right, "truth")
    if ais_window and (at := text.find(ais_window)) >= 0:
        found.append(Span(start=at, end=at + len(ais_window), kind="window"))
    return found


def _spans(
    text: str, example: Example, shown: Shown, names: list[Span], tokens: list[ShadedToken]
) -> list[Span]:
    if shown.view == "plain":
        return []
    if shown.view == "tokens":
        return [*names, *shades(text, tokens, shown.most)]
    if shown.view == "verbatim":
        return shared_spans(text, example_query(example).joined)
    return names
