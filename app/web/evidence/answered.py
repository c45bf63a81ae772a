"""What an example's page speaks of: the answer that is explained, by all its names, and how likely it was."""

from app.store.examples import Example
from app.store.tables import Output, Prompt
from app.tracing.explained import asked_of, explains_of
from app.words.answers import SAID


def names_of(example: Example) -> list[str]:
    """How the explained answer may be called in passages: of a right one, also as the target and its aliases are."""
    return answer_names(example.run.explains, example.prompt, example.output)


def answer_names(explains: str, prompt: Prompt, output: Output | None) -> list[str]:
    """The same of what a run explains of a prompt."""
    asked = asked_of(explains, prompt, output).explained.strip()
    other = explains_of(explains, output) == SAID and (output is None or not output.correct)
    return list(dict.fromkeys([asked, *([] if other else [prompt.target, *prompt.aliases])]))


def probability_of(explains: str, output: Output | None) -> float | None:
    """Of what a run explains, given the prompt; None where nobody knows it."""
    if output is None:
        return None
    return output.said_probability if explains_of(explains, output) == SAID else output.probability
