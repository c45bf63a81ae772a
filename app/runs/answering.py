"""What a model answers to a prompt set, and how often it is right."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.runs.answers import ensure_answers
from app.runs.inputs import answered, open_inputs
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.engine import Store
from app.words.choices import RULES, read_weighed


@dataclass(frozen=True)
class RightShare:
    """How many answers were judged, and the share of right ones; None where none was judged.

    `rule` is empty for answers as they count, else how a choice was made; `counts` where that is how they count.
    """

    rule: str
    counts: bool
    right: float | None
    judged: int


@dataclass(frozen=True)
class AnsweredSet:
    """How often the model is right, and prompts that cannot be asked, with the reason."""

    shares: Sequence[RightShare]
    left_out: Sequence[tuple[str, str]]


def answer_set(
    settings: Settings, store: Store, index: str, prompts: str, *, choose_by: str = "", bar: Bar = unseen
) -> AnsweredSet:
    """Ask the model of an index every prompt of a set, unless it was asked before.

    Args:
        choose_by: as `app.runs.retrieving.retrieve_set`.

    Raises:
        UserError: a name or the rule is unknown.
    """
    with store.session() as session:
        inputs = open_inputs(session, settings, index, prompts)
        with bar("Answering prompts") as step:
            ensure_answers(session, inputs, step, by=choose_by)
        outputs = answered(session, inputs)
        shares = [_share("", [output.correct for output in outputs.values() if output.correct is not None])]
        weighed = {id_: known for id_, output in outputs.items() if (known := read_weighed(output.weighed))}
        labels = {prompt.id: prompt.label for prompt in inputs.prompts if prompt.label is not None}
        for by in RULES if weighed else ():
            right = [known.order(by)[0] == labels[id_] for id_, known in weighed.items() if id_ in labels]
            shares.append(_share(by, right, all(known.by == by for known in weighed.values())))
        return AnsweredSet(shares, list(inputs.left_out.items()))


def _share(rule: str, right: Sequence[bool], counts: bool = True) -> RightShare:
    return RightShare(rule, counts, sum(right) / len(right) if right else None, len(right))
