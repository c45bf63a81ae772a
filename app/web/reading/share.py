"""The pictures of pages for sites that show links: `…/card.png` of an example, a trace, a comparison, a passage, and `/`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.store import compare as compared
from app.store import jobs
from app.store.examples import found_for_by_run, get_passage
from app.store.steps import of_result, steps_of
from app.tracing.explained import asked_of
from app.web.asking import trace as traces
from app.web.asking.trace_answer import Looked
from app.web.evidence.card_plot import Moved
from app.web.evidence.explained import claim_of, evidence_for, explained_of
from app.web.evidence.lanes import RANDOM
from app.web.evidence.measured import DEPTH
from app.web.evidence.notes import noted
from app.web.evidence.share_card import ANSWERS, SharedCard, draw, line_of, verdict_of
from app.web.evidence.verdict import Piece, moved
from app.web.front import home
from app.web.reading.beside import compared_in_words, evidence_beside
from app.web.reading.moved import moved_by
from app.web.reading.shared import method_name, shared
from app.web.site.context import Config, Db
from app.web.site.downloads import etag, known_already
from app.web.site.params import Explains, Id, Runs, Slug
from app.words.answers import SAID
from app.words.methods import method_label
from app.words.saying import plural

router = APIRouter()
EACH = "one training step on each passage"
BESIDE = 3  # methods of a comparison, so that the control has a lane too


@router.get("/card.png", include_in_schema=False)
def home_card(request: Request, db: Db, settings: Config) -> Response:
    """The front page's story."""
    page = home.load(db, settings)
    if page.story is None:
        asked = "See which training passages made a language model say that."
        return _picture(request, SharedCard("", asked, "", passage="No run has been made here yet."))
    card = SharedCard(
        EACH,
        page.story.prompt,
        page.story.evidence.answer,
        line=line_of(page.story.claim),
        said=verdict_of(page.story.evidence),
        evidence=page.story.evidence,
        passage=page.story.influence.card.text,
    )
    return _picture(request, card)


@router.get("/runs/{run}/prompts/{prompt}/card.png", include_in_schema=False)
def example_card(request: Request, db: Db, run: Slug, prompt: Slug, explains: Explains = SAID) -> Response:
    """An example: what the model said, and what its passages' steps did."""
    example = shared(db, run, prompt, DEPTH, explains)
    said = explained_of(example)
    measured = noted(db, evidence_for(db, example, said, steps_of(db, of_result(example.result.id))))
    card = SharedCard(
        EACH if measured.lanes else "training passages behind an answer",
        example.prompt.text,
        said.text,
        line=line_of(claim_of(example, said), method_name(example.run)),
        said=verdict_of(measured),
        evidence=measured,
        passage=example.retrieved[0].passage.text if example.retrieved else "",
    )
    return _picture(request, card)


@router.get("/traces/{trace_id}/card.png", include_in_schema=False)
def trace_card(request: Request, db: Db, trace_id: Slug) -> Response:
    """A trace: as an example, of a question that somebody asked."""
    page = traces.load(request, db, jobs.find(db, trace_id), Looked())
    claim, measured = page.claim, page.evidence
    if claim is None or measured is None:
        return _picture(request, SharedCard("a question", page.prompt, "", passage="Not answered yet."))
    card = SharedCard(
        EACH if measured.lanes else "training passages behind an answer",
        claim.prompt + claim.lead,
        claim.said,
        line=line_of(claim),
        said=verdict_of(measured),
        evidence=measured,
        passage=page.proponents[0].text if page.proponents else "",
    )
    return _picture(request, card)


@router.get("/compare/{slug}/card.png", include_in_schema=False)
def compare_card(
    request: Request, db: Db, slug: Slug, runs: Runs = "", explains: Explains = SAID
) -> Response:
    """A comparison: a lane for each method."""
    chosen = compared.runs_named(db, [name for name in runs.split(",") if name])
    prompt = compared.prompt_named(db, chosen[0], slug)
    columns = compared.columns(db, chosen, prompt, explains)
    results = [each.result.id for each in columns if each.result]
    measured = evidence_beside(db, columns, prompt, compared.ranks(db, results))
    first = columns[0]
    asked = asked_of(first.shown.explains, first.prompt or prompt, first.output).explained
    rows = compared.proponents(db, results, 1)
    lanes = [each for each in measured.lanes if each.name != RANDOM][:BESIDE]
    lanes += [each for each in measured.lanes if each.name == RANDOM]
    card = SharedCard(
        "methods compared, " + EACH if lanes else "methods compared",
        prompt.text,
        asked,
        line=", ".join(method_label(run.method) for run in chosen),
        said=tuple(compared_in_words(measured.before, lanes)) if measured.before is not None else (),
        evidence=measured.model_copy(update={"lanes": lanes}),
        passage=next((row[0].passage.text for row in rows.values() if row), ""),
    )
    return _picture(request, card)


@router.get("/passages/{id}/card.png", include_in_schema=False)
def passage_card(request: Request, db: Db, id: Id) -> Response:
    """A passage, and what one step on it did to answers."""
    passage = get_passage(db, id)
    found = moved_by(db, id, ANSWERS)
    prompts = sum(count for _, count in found_for_by_run(db, id))
    said = [Piece(f"Found for {plural(prompts, 'prompt')}.")] if prompts else []
    card = SharedCard(
        "one training step on one passage" if found else "a training passage",
        passage.text,
        "",
        line=passage.corpus.name,
        said=tuple(_furthest(found)) if found else tuple(said),
        moved=tuple(found),
    )
    return _picture(request, card)


def _furthest(found: list[Moved]) -> list[Piece]:
    first = found[0]
    change = 100 * (first.after - first.before)
    return [Piece(f"One training step on it moves “{first.answer}” "), moved(change), Piece(".")]


def _picture(request: Request, card: SharedCard) -> Response:
    """The card, drawn anew only where the reader has another."""
    headers = {"ETag": etag(card), "Cache-Control": "public, max-age=3600"}
    if known_already(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(draw(card), media_type="image/png", headers=headers)
