"""What a run is made of: an index with its model and corpus, and a prompt set, read and checked once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.generate import start_of
from app.models.hands import Hands, own_hands
from app.models.load import LoadedModel, compute_type, load_model
from app.models.text import Query
from app.runs.choosing import choice_queries
from app.runs.registering import register
from app.settings import Settings
from app.store.corpora import get_corpus
from app.store.models import no_model
from app.store.prompts import get_prompt_set, list_prompts
from app.store.tables import Corpus, Model, Output, Prompt, PromptSet, Run
from app.tracing.explained import asked_of, rather_than, said_otherwise
from app.tracing.loaded import check_corpus
from app.trackstar.index import TrackstarIndex, open_index
from app.words.answers import SAID, TARGET, TRUTH
from app.words.choices import CHOICES, fits, read_weighed


@dataclass(frozen=True)
class OpenedIndex:
    """An index and the model that it was built with.

    Args:
        hands: who computes with the model.
    """

    index: TrackstarIndex
    loaded: LoadedModel
    hands: Hands[LoadedModel]


@dataclass(frozen=True)
class RunInputs:
    """Everything that is the same for every method: each is asked about `prompts`, over `corpus`, of `model`.

    Args:
        opened: None for methods that read texts and ask no model.
        explains: `target`, or what the model `said`; then `outputs` has it, by prompt.
        contrasts: by prompt, rather than what; empty where a run explains no contrast.
        contrast: what these are: `truth`, rather than which something wrong was said, or `choices`.
        left_out: prompts of the set that this model cannot be asked, by id, and why.
    """

    opened: OpenedIndex | None
    model: Model
    corpus: Corpus
    prompt_set: PromptSet
    prompts: list[Prompt]
    left_out: dict[str, str] = field(default_factory=dict)
    explains: str = TARGET
    outputs: Mapping[int, Output] = field(default_factory=dict)
    contrasts: Mapping[int, Query] = field(default_factory=dict)
    contrast: str = ""

    @property
    def index(self) -> TrackstarIndex:
        """The index; where there is none, no method that needs one is asked (`text_inputs`)."""
        assert self.opened is not None
        return self.opened.index

    @property
    def loaded(self) -> LoadedModel:
        """The model that the index was built with."""
        assert self.opened is not None
        return self.opened.loaded

    @property
    def hands(self) -> Hands[LoadedModel]:
        """Who computes with it."""
        assert self.opened is not None
        return self.opened.hands

    @property
    def about(self) -> dict[str, Any]:
        """What a run's configuration says of what it was asked; empty where there is nothing to say."""
        left_out = {"left_out": self.left_out} if self.left_out else {}
        return left_out | ({"contrast": self.contrast} if self.contrasts else {})

    @property
    def queries(self) -> list[Query]:
        """Each prompt with what is explained: its target, or what the model said."""
        return [asked_of(self.explains, prompt, self.outputs.get(prompt.id)) for prompt in self.prompts]

    @property
    def others(self) -> list[Query | None]:
        """For each prompt, what it is asked against: see `contrasts`."""
        return [self.contrasts.get(prompt.id) for prompt in self.prompts]


def explaining(session: Session, inputs: RunInputs, explains: str) -> RunInputs:
    """The same inputs for a run that explains the prompts' targets, or what the model `said`.

    What it said wrong is explained rather than the truth.
    """
    if explains != SAID:
        return alone(replace(inputs, explains=explains, outputs={}))
    return _of_said(inputs, inputs.prompts, answered(session, inputs))


def otherwise(session: Session, inputs: RunInputs) -> RunInputs | None:
    """The inputs for a run of what the model said, of the prompts to which that was something else than the target.

    None where there are none.
    """
    outputs = answered(session, inputs)
    prompts = [prompt for prompt in inputs.prompts if said_otherwise(prompt, outputs.get(prompt.id))]
    return _of_said(inputs, prompts, outputs) if prompts else None


def alone(inputs: RunInputs) -> RunInputs:
    """The same inputs, each prompt asked without a contrast."""
    return replace(inputs, contrasts={}, contrast="")


def _of_said(inputs: RunInputs, prompts: list[Prompt], outputs: Mapping[int, Output]) -> RunInputs:
    truths = {prompt.id: rather_than(prompt, outputs.get(prompt.id)) for prompt in prompts}
    found = {id_: truth for id_, truth in truths.items() if truth is not None}
    asked = replace(inputs, prompts=prompts, explains=SAID, outputs=outputs)
    return replace(asked, contrasts=found, contrast=TRUTH)


def contrasting(session: Session, inputs: RunInputs) -> RunInputs:
    """The same inputs for a run that explains why this choice and not another: against the likeliest of the others.

    Prompts without choices are asked as they would be otherwise.

    Raises:
        UserError: no prompt of the set has choices.
    """
    outputs = answered(session, inputs)
    found: dict[int, Query] = {}
    for prompt in inputs.prompts:
        weighed = read_weighed(outputs[prompt.id].weighed) if prompt.id in outputs else None
        if prompt.choices and weighed and fits(prompt.choices, weighed):
            at = weighed.chosen if inputs.explains == SAID or prompt.label is None else prompt.label
            found[prompt.id] = Query.of_target(prompt.text, prompt.choices[weighed.best_but(at)])
    if not found:
        raise UserError(
            f"No prompt of “{inputs.prompt_set.name}” has choices to contrast.",
            field="contrast",
            remedy="Leave --contrast out, or add prompts with choices: `startrail prompts add --help`.",
        )
    return replace(inputs, contrasts={**inputs.contrasts, **found}, contrast=CHOICES)


def answered(session: Session, inputs: RunInputs) -> dict[int, Output]:
    """What the model answered to the set's prompts, by prompt."""
    own = select(Output).where(
        Output.model_id == inputs.model.id,
        Output.prompt_id.in_(select(Prompt.id).where(Prompt.prompt_set_id == inputs.prompt_set.id)),
    )
    return {output.prompt_id: output for output in session.scalars(own)}


def open_inputs(
    session: Session,
    settings: Settings,
    index_name: str,
    prompt_set: str,
    members: Callable[[LoadedModel], Hands[LoadedModel]] = own_hands,
) -> RunInputs:
    """Open an index with its model, and the prompts to ask; those that cannot be asked are left out, with their reason.

    Args:
        members: who computes with the model; see `app.cluster.hiring.with_model`.

    Raises:
        UserError: one is missing or damaged , or the index was built for another model or corpus.
    """
    index = open_index(settings.indexes / index_name)
    source = index.manifest.model
    loaded = load_model(
        settings.models / source.name,
        device=settings.device,
        dtype=compute_type(settings.dtype),
        **index.manifest.opening,
    )
    if loaded.sha256 != source.sha256:
        raise UserError(
            f"The index “{index_name}” was built with another model than what “{source.name}” is now.",
            field="index",
            remedy="Build the index again.",
        )
    corpus = get_corpus(session, index.manifest.corpus.name)
    check_corpus(corpus, index)
    asked = get_prompt_set(session, prompt_set)
    model = _model(session, settings, loaded, source.name)
    prompts, left_out = _askable(loaded, list_prompts(session, asked.id), asked.name)
    return RunInputs(OpenedIndex(index, loaded, members(loaded)), model, corpus, asked, prompts, left_out)


def text_inputs(session: Session, corpus: str, prompt_set: str) -> RunInputs:
    """The prompts of a set over the passages of a corpus, for methods that read texts and ask no model.

    Raises:
        NotFound: there is no such corpus or set. UserError: no prompt of it can be asked.
    """
    asked = get_prompt_set(session, prompt_set)
    prompts = list_prompts(session, asked.id)
    kept = [prompt for prompt in prompts if prompt.text.strip() or prompt.target.strip()]
    left_out = {prompt.external_id: "It is blank." for prompt in prompts if prompt not in kept}
    if not kept:
        raise UserError(
            f"No prompt of “{asked.name}” has words.", field="prompts", remedy="Give prompts with a text."
        )
    return RunInputs(None, no_model(session), get_corpus(session, corpus), asked, kept, left_out)


def _askable(
    loaded: LoadedModel, prompts: Sequence[Prompt], prompt_set: str
) -> tuple[list[Prompt], dict[str, str]]:
    """The prompts that the model can be asked, and of the others why not, by their ids.

    Raises:
        UserError: none can.
    """
    kept, left_out = [], {}
    for prompt in prompts:
        try:
            for query in [Query.of_target(prompt.text, prompt.target), *choice_queries(prompt)]:
                loaded.texts.query(query)
            start_of(loaded, prompt.text)
            kept.append(prompt)
        except UserError as error:
            left_out[prompt.external_id] = error.message
    if left_out and not kept:
        first, why = next(iter(left_out.items()))
        raise UserError(
            f"None of the {len(left_out):,} prompts of “{prompt_set}” can be asked. “{first}”: {why}",
            field="prompts",
            remedy="Give prompts with a target, no longer than the model reads.",
        )
    return kept, left_out


def _model(session: Session, settings: Settings, loaded: LoadedModel, name: str) -> Model:
    known = session.scalar(select(Model).where(Model.name == name, Model.sha256 == loaded.sha256))
    if known is not None:
        return known
    return register(session, name, settings.models / name, loaded.sha256)


def inputs_of(session: Session, settings: Settings, run: Run) -> RunInputs:
    """The inputs that a run was made of, opened again: index, prompts, and what of each prompt it explains.

    Raises:
        UserError: it was made without an index, or the index cannot be opened.
    """
    if not run.index_name:
        raise UserError(
            f"The run “{run.slug}” was made without an index.", field="run", remedy="Name a run of an index."
        )
    inputs = open_inputs(session, settings, run.index_name, run.prompt_set.name)
    inputs = explaining(session, inputs, run.explains)
    kind = run.configuration.get("contrast")
    if kind == CHOICES:
        return contrasting(session, inputs)
    return inputs if kind == TRUTH else alone(inputs)
