"""`/runs/{run}/prompts/{prompt}/card.png`: the picture of an example for sites that show links."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.store.examples import Example
from app.web.reading.share_card import SharedCard, draw
from app.web.reading.shared import method_name, shared, verdict
from app.web.site.context import Db
from app.web.site.downloads import etag, known_already
from app.web.site.params import Slug

router = APIRouter()


@router.get("/runs/{run}/prompts/{prompt}/card.png", include_in_schema=False)
def card(request: Request, db: Db, run: Slug, prompt: Slug) -> Response:
    """1200 by 630 pixels, drawn anew only when the example changed."""
    picture = as_card(shared(db, run, prompt, 10))
    headers = {"ETag": etag(picture), "Cache-Control": "public, max-age=3600"}
    if known_already(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(draw(picture), media_type="image/png", headers=headers)


def as_card(example: Example) -> SharedCard:
    """What is drawn of an example."""
    parts = [method_name(example.run), example.run.model.name, verdict(example)]
    return SharedCard(
        prompt=example.prompt.text,
        target=example.prompt.target,
        line=" · ".join(part for part in parts if part),
        passage=example.retrieved[0].passage.text if example.retrieved else "",
        states=tuple(row.correct for row in example.retrieved),
    )
