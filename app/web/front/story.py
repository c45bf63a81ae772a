"""The front page's story, chosen by rule from what was measured, and prompts that are known to be worth asking."""

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.store import browse
from app.store.browse import Filters
from app.store.examples import Example, find_story, get_example
from app.store.steps import of_result, steps_of
from app.store.stories import SteppedStory, best_stepped
from app.store.tables import Passage, Prompt, Result, Run
from app.web.evidence.cards import Card, Measured, make_card, measured, written
from app.web.evidence.claim import Claim
from app.web.evidence.explained import claim_of, evidence_for, explained_of
from app.web.evidence.lanes import Evidence
from app.web.evidence.notes import noted
from app.web.evidence.verdict import ordinal
from app.web.marking.highlight import Span, entities
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.invented import COUNTRY
from app.words.methods import BM25, TRACKSTAR

SURE = 0.25  # a mistake is suggested if the model is at least so sure of it
LOOKED_AT = 10  # of the surest answers to a task


class FirstProponent(BaseModel):
    """A run's first passage for the story's prompt."""

    run: str
    name: str
    method: str
    url: PageUrl
    card: Card
    place: str  # in its list: `first`, `third`


class StoryPart(BaseModel):
    """One prompt, and the first passages of the method of influence and of the one by words."""

    claim: Claim
    url: PageUrl
    prompt: str
    target: str
    spans: list[Span]
    answer: str | None
    probability: float | None
    influence: FirstProponent
    attribution: FirstProponent
    evidence: Evidence
    compare_url: PageUrl


class Suggestion(BaseModel):
    """A prompt, and what this model is known to answer."""

    prompt: str
    answer: str


def story_of(session: Session, runs: list[Run]) -> StoryPart | None:
    """TrackStar beside BM25 over the same prompts and model, where both are there: from steps, else from an evaluation."""
    influence = next((run for run in runs if run.method == TRACKSTAR), None)
    if influence is None:
        return None
    alike = (influence.prompt_set_id, influence.model_id)
    attribution = next(
        (run for run in runs if run.method == BM25 and (run.prompt_set_id, run.model_id) == alike), None
    )
    if attribution is None:
        return None
    if told := best_stepped(session, influence):
        return _from_steps(session, influence, attribution, told)
    if influence.corpus.name == COUNTRY:
        return None  # its own part of the page tells more than two lists of which nothing was measured
    story = find_story(session, influence, attribution)
    if story is None:
        return None
    example = get_example(session, influence, story.prompt.slug, limit=0)
    firsts = [
        (row.passage, measured(row, explained_of(example).probability), "first") for row in story.firsts
    ]
    return _part(session, influence, attribution, example, firsts)


def _from_steps(session: Session, influence: Run, attribution: Run, told: SteppedStory) -> StoryPart:
    result = session.get_one(Result, told.result_id)
    prompt = session.get_one(Prompt, result.prompt_id)
    explains = session.get_one(Run, result.run_id).explains
    example = get_example(session, influence, prompt.slug, limit=0, explains=explains)
    taken = steps_of(session, of_result(result.id))
    ends = {dot.passage_id: dot.after for lane in taken.lanes.values() for dot in lane} if taken else {}
    before = taken.before if taken else 0.0
    firsts = []
    for id_, rank in ((told.traced, 1), (told.words, told.words_rank)):
        end = ends.get(id_)
        change = None if end is None else 100 * (end - before)
        said = Measured(rank=rank, score=None, tail_patch=change, before=before, after=end)
        firsts.append((session.get_one(Passage, id_), said, ordinal(rank)))
    return _part(session, influence, attribution, example, firsts)


def _part(
    session: Session,
    influence: Run,
    attribution: Run,
    example: Example,
    firsts: list[tuple[Passage, Measured, str]],
) -> StoryPart:
    prompt, explained = example.prompt, explained_of(example)
    claim = claim_of(example, explained)
    names = [claim.said]

    def first(run: Run, passage: Passage, said: Measured, place: str) -> FirstProponent:
        return FirstProponent(
            run=run.slug,
            name=run.name,
            method=run.method,
            url=urls.example(run.slug, prompt.slug),
            card=make_card(passage, said, written(passage, entities(passage.text, prompt.subject, names))),
            place=place,
        )

    taken = steps_of(session, of_result(example.result.id))
    return StoryPart(
        claim=claim,
        url=urls.example(influence.slug, prompt.slug),
        prompt=prompt.text,
        target=prompt.target,
        spans=entities(prompt.text, prompt.subject, names),
        answer=example.output.answer if example.output else None,
        probability=claim.probability,
        influence=first(influence, *firsts[0]),
        attribution=first(attribution, *firsts[1]),
        evidence=noted(session, evidence_for(session, example, explained, taken)),
        compare_url=urls.compare(prompt.slug, [influence.slug, attribution.slug]),
    )


def suggestions_of(session: Session, run: Run) -> list[Suggestion]:
    """For each task what its model answers surest: wrong, if it is sure enough of that, for that is worth a look; else right."""
    tasks = [each.value for each in browse.tallies(session, [run])[run.id].facets({})["task"]]
    asked = [Filters(task=task, right=right) for right in ("no", "") for task in tasks]
    chosen: dict[str, Suggestion] = {}
    for filters, rows in zip(
        asked, browse.first_of_each(session, run, asked, "sure", LOOKED_AT), strict=True
    ):
        least = SURE if filters.right else 0.0
        for row in rows:
            said = row.output
            if said and said.answer and said.said_probability is not None and said.said_probability >= least:
                chosen.setdefault(
                    filters.task, Suggestion(prompt=row.prompt.text, answer=said.answer.strip())
                )
    return list(chosen.values())
