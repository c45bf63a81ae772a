"""`/glossary`: every term that pages use, in plain words."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.words.glossary import TERMS

router = APIRouter()


class TermInfo(BaseModel):
    """A term; pages link to its name."""

    name: str
    label: str
    meaning: str


class GlossaryPage(BaseModel):
    """All terms in the order in which a reader meets them."""

    title: str = "Glossary"
    terms: list[TermInfo]


@page_route(router, "/glossary", GlossaryPage, "list_terms")
def glossary(request: Request) -> Response:
    """The terms that pages use, in plain words."""
    terms = [TermInfo(name=name, label=each.label, meaning=each.meaning) for name, each in TERMS.items()]
    return respond(request, GlossaryPage(terms=terms), "glossary.html")
