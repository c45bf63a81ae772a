"""`/models/{name}` and `/corpora/{name}`: what is behind a name, and the lists of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.interchange.provenance import FILES, HOW
from app.settings import Settings
from app.store import behind
from app.store.corpora import get_corpus, list_corpora
from app.store.models import get_model
from app.store.showing import hidden_corpora
from app.store.tables import Corpus, Model
from app.tracing.catalog import manifests
from app.trackstar.manifest import IndexManifest
from app.web.browsing.over_steps import OverSteps, over_steps
from app.web.site import urls
from app.web.site.context import Config, Db
from app.web.site.links import PageUrl
from app.web.site.moments import Moment
from app.web.site.params import LONGEST, Plain
from app.web.site.respond import respond
from app.web.site.routing import page_route

router = APIRouter()
RUNS, SAMPLE, EXCERPT = 50, 10, 300
# Names of models are often OWNER/NAME.
AnyName = Annotated[Plain, InPath(max_length=LONGEST, description="name of a model or corpus")]

AtStep = Annotated[Plain, Query(max_length=LONGEST, description="step of the state that is looked at: final")]


class RunOf(BaseModel):
    """A run of the model or over the corpus."""

    name: str
    url: PageUrl
    method: str
    model: str
    corpus: str
    prompts: int
    made: Moment


class IndexOf(BaseModel):
    """An index on this machine: by which method its passages were encoded, and how their texts were read.

    `marks` are the tokens that begin and end every text; `second_moments` says where V comes from.
    """

    name: str
    model: str
    corpus: str
    passages: int
    dimension: int
    method: dict[str, Any]
    second_moments: str
    search: str
    marks: dict[str, Any]
    cut: int


class Named(BaseModel):
    """What both pages say. `origin` has what was said of where it comes from: source, licence, author."""

    title: str
    name: str
    description: str
    origin: dict[str, str]
    sha256: str | None
    added: Moment
    runs: list[RunOf]
    run_count: int
    indexes: list[IndexOf]


class ModelPage(Named):
    """A model. `facts` are of its size, `training` of how it was trained, by the names that pages show; `over` is what runs
    over its states say, where several were kept."""

    parameters: int | None
    facts: dict[str, Any]
    training: dict[str, Any]
    over: list[OverSteps]


class Excerpt(BaseModel):
    """A passage, or the beginning of a long one."""

    id: int
    url: PageUrl
    text: str
    cut: bool


class PromptSetOf(BaseModel):
    """Prompts whose facts the corpus states."""

    name: str
    prompts: int


class CorpusPage(Named):
    """A corpus with passages spread evenly over it. `files` are what it was read from, on the hub at one commit, and `how`
    the options that decided what was taken of them."""

    passages: int
    files: list[str]
    how: dict[str, Any]
    sample: list[Excerpt]
    prompt_sets: list[PromptSetOf]


class Listed(BaseModel):
    """One of several models or corpora; `size` in parameters or passages."""

    name: str
    url: PageUrl
    description: str
    licence: str
    size: int | None


class ListPage(BaseModel):
    """All models, or all corpora, as `kind` says."""

    title: str
    kind: str
    unit: str
    items: list[Listed]


@page_route(router, "/models", ListPage, "list_models")
def models_page(request: Request, session: Db) -> Response:
    """Every model that runs here are of."""
    items = [_listed(row, urls.model(row.name), row.parameters) for row in behind.list_models(session)]
    page = ListPage(title="Models", kind="model", unit="parameters", items=items)
    return respond(request, page, "behind_list.html")


@page_route(router, "/corpora", ListPage, "list_corpora")
def corpora_page(request: Request, session: Db) -> Response:
    """Every corpus that is searched here."""
    items = [_listed(row, urls.corpus(row.name), row.passage_count) for row in list_corpora(session)]
    page = ListPage(title="Corpora", kind="corpus", unit="passages", items=items)
    return respond(request, page, "behind_list.html")


@page_route(router, "/models/{name:path}", ModelPage, "get_model")
def model_page(request: Request, session: Db, settings: Config, name: AnyName, at: AtStep = "") -> Response:
    """One model: its size, its training, who made it, what was done with it here, and what its states say over steps."""
    model = get_model(session, name)
    facts = {key: value for key, value in model.facts.items() if key != "training"}
    page = ModelPage(
        **_named(session, settings, model),
        parameters=model.parameters,
        facts=facts,
        training=model.facts.get("training", {}),
        over=over_steps(session, name, at),
    )
    return respond(request, page, "model.html")


@page_route(router, "/corpora/{name:path}", CorpusPage, "get_corpus")
def corpus_page(request: Request, session: Db, settings: Config, name: AnyName) -> Response:
    """One corpus: its size, where it comes from, some of its passages, and what was done with it here."""
    corpus = get_corpus(session, name)
    sample = [
        Excerpt(id=each.id, url=urls.passage(each.id), text=each.text[:EXCERPT], cut=len(each.text) > EXCERPT)
        for each in behind.sample_passages(session, corpus, SAMPLE)
    ]
    page = CorpusPage(
        **_named(session, settings, corpus),
        passages=corpus.passage_count,
        files=corpus.reading.get(FILES, []),
        how=corpus.reading.get(HOW, {}),
        sample=sample,
        prompt_sets=[
            PromptSetOf(name=each.name, prompts=count)
            for each, count in behind.prompt_sets_of(session, corpus)
        ],
    )
    return respond(request, page, "corpus.html")


def _listed(row: Model | Corpus, url: str, size: int | None) -> Listed:
    return Listed(name=row.name, url=url, description=row.description, licence=row.licence, size=size)


def _named(session: Session, settings: Settings, row: Model | Corpus) -> dict[str, Any]:
    said = {"source": row.source, "licence": row.licence, "author": row.author}
    mine = "model" if isinstance(row, Model) else "corpus"
    return {
        "title": row.name,
        "name": row.name,
        "description": row.description,
        "origin": {name: text for name, text in said.items() if text},
        "sha256": row.sha256,
        "added": row.created_at,
        "runs": [
            RunOf(
                name=run.name,
                url=urls.run(run.slug),
                method=run.method,
                model=run.model.name,
                corpus=run.corpus.name,
                prompts=run.prompt_count,
                made=run.created_at,
            )
            for run in behind.runs_of(session, row, RUNS)
        ],
        "run_count": behind.run_count(session, row),
        "indexes": [
            _index(name, found)
            for name, found in manifests(settings, hidden_corpora(session))
            if getattr(found, mine).name == row.name
        ],
    }


def _index(name: str, found: IndexManifest) -> IndexOf:
    return IndexOf(
        name=name,
        model=found.model.name,
        corpus=found.corpus.name,
        passages=found.passages,
        dimension=found.dimension,
        method={key: value for key, value in found.method.as_dict().items() if value is not None},
        second_moments=str((found.second_moments or {}).get("source", "")),
        search=str(found.search.get("kind", "exact")),
        marks=found.build.get("marks", {}),
        cut=found.counts.get("cut", 0),
    )
