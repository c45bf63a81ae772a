"""What an example explains, and what its passages' steps did to that: for its page, its card, and wherever it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.store.examples import Example
from app.store.steps import of_result, steps_of
from app.tracing.explained import explains_of
from app.web.evidence.cards import Card
from app.web.evidence.lanes import Evidence
from app.web.evidence.measured import evidence_of_example
from app.web.evidence.shading import example_query
from app.web.reading.example_parts import taken_for
from app.words.answers import SAID
from app.words.joining import follow


@dataclass(frozen=True)
class WhatIsExplained:
    """What the passages were searched for.

    Args:
        kind: `said` or `target`.
        text: as it follows the prompt, with the space it begins with, if any.
        probability: of the text, 0..1; None where nobody knows it.
        instead: as it follows the prompt, what the text is weighed against: the run's contrast or, where the model
            said something wrong, what is right.
    """

    kind: str
    text: str
    probability: float | None
    instead: str | None


def explained_of(example: Example) -> WhatIsExplained:
    """What the example's run explains of its prompt."""
    prompt, output, query = example.prompt, example.output, example_query(example)
    kind = explains_of(example.run.explains, output)
    wrong = kind == SAID and output is not None and output.correct is False
    known = None if output is None else output.said_probability if kind == SAID else output.probability
    truth = prompt.ground_truth or prompt.target
    return WhatIsExplained(
        kind=kind,
        text=query.explained,
        probability=known,
        instead=example.result.contrast or (follow(prompt.text, truth) if wrong else None),
    )


def evidence_for(
    session: Session, example: Example, said: WhatIsExplained, cards: Sequence[Card] = ()
) -> Evidence:
    """The example's evidence: from the steps taken on its passages, else from what its run was evaluated with.

    Args:
        cards: of its passages, which are told what steps on them did.
    """
    answer = said.text.strip()
    if (taken := steps_of(session, of_result(example.result.id))) and (
        found := taken_for(example, answer, taken, cards)
    ):
        return found
    shown = {(row.side, row.rank) for row in example.retrieved}
    return evidence_of_example(session, example.run, example.prompt, answer, said.probability, shown)
