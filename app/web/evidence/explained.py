"""What an example explains, and what its passages' steps did to that: for its page, its card, and wherever it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.store.examples import Example
from app.store.steps import StepsOf
from app.tracing.explained import explains_of
from app.web.evidence.answered import probability_of
from app.web.evidence.cards import Card
from app.web.evidence.claim import Claim, words_as_pieces
from app.web.evidence.lanes import AGAINST, FOR, WORDS, Evidence
from app.web.evidence.measured import after_steps, evidence_of_example, of_taken
from app.web.evidence.searched import included, searched_for
from app.web.evidence.shading import example_query
from app.words.answers import SAID, TARGET
from app.words.joining import follow
from app.words.methods import BM25
from app.words.partial import said_of
from app.words.passages import OPPONENT


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
    truth = prompt.ground_truth or prompt.target
    return WhatIsExplained(
        kind=kind,
        text=query.explained,
        probability=probability_of(example.run.explains, output),
        instead=example.result.contrast or (follow(prompt.text, truth) if wrong else None),
    )


def claim_of(example: Example, explained: WhatIsExplained) -> Claim:
    """What the model said to an example's prompt, or the target where the run explains that."""
    run, prompt, output = example.run, example.prompt, example.output
    query = example_query(example)
    said = explained.text.strip()
    wrong = output is not None and output.correct is False
    right = prompt.ground_truth or prompt.target
    answer = output.answer if output and wrong and explained.kind == TARGET else None
    truth = right if wrong and right != said else None
    against = example.result.contrast
    return Claim(
        prompt=prompt.text,
        lead=explained.text[: len(explained.text) - len(explained.text.lstrip())],
        said=said,
        explains=explained.kind,
        answer=answer,
        right=output.correct if output else None,
        probability=explained.probability,
        truth=truth,
        truth_probability=output.probability if output and wrong and explained.kind == SAID else None,
        contrast=against,
        searched=searched_for(run.method, said, against, truth if explained.kind == SAID else None),
        part=said_of(run.configuration),
        included=included(said, truth, against, answer),
        stated=prompt.frequency,
        model=run.model.name,
        parameters=run.model.parameters,
        corpus=run.corpus.name,
        passages=run.corpus.passage_count,
        pieces=words_as_pieces(query.completion, query.span or (0, len(query.completion))),
    )


def evidence_for(
    session: Session,
    example: Example,
    explained: WhatIsExplained,
    taken: StepsOf | None,
    cards: Sequence[Card] = (),
) -> Evidence:
    """The example's evidence: from the steps taken on its passages, else from what its run was evaluated with.

    Args:
        taken: without being asked, as far as they are.
        cards: of its passages, which are told what steps on them did.
    """
    answer = explained.text.strip()
    ends = after_steps(taken) if taken else {}
    if not taken or not ends:
        shown = {(row.side, row.rank) for row in example.retrieved}
        return evidence_of_example(session, example.run, example.prompt, answer, explained.probability, shown)
    for card in cards:
        if card.passage_id in ends:
            card.before, card.after = taken.before, ends[card.passage_id]
            card.tail_patch = 100 * (card.after - card.before)
    method = example.run.method
    places = {
        (AGAINST if row.side == OPPONENT else FOR, row.passage_id): f"#{row.side[0]}{row.rank}"
        for row in example.retrieved
    }
    return of_taken(answer, taken, {FOR: method, WORDS: BM25, AGAINST: method}, places)
