"""One example as it is shared: what its card, its citation and its files are made of."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from app.errors import NotFound
from app.store import compare as ask
from app.store.tables import Output, Prompt, Result, Retrieved, Run
from app.web import words


class Shared(NamedTuple):
    """A prompt in a run; `first` are its first ten proponents with their passages."""

    run: Run
    prompt: Prompt
    result: Result
    output: Output | None
    first: list[Retrieved]

    @property
    def method(self) -> str:
        """The method as pages call it."""
        return words.METHODS.get(self.run.method, self.run.method)

    @property
    def verdict(self) -> str:
        """`the model got it right`, `… wrong`, or nothing where nobody judged."""
        correct = self.output.correct if self.output else None
        return "" if correct is None else f"the model got it {'right' if correct else 'wrong'}"


def shared(session: Session, run_slug: str, prompt_slug: str, depth: int = 10) -> Shared:
    """The example of this name.

    Raises:
        NotFound: no such run, or it has no such prompt.
    """
    run = ask.run_named(session, run_slug)
    prompt = ask.prompt_named(session, run, prompt_slug)
    column = ask.columns(session, [run], prompt)[0]
    if column.result is None:
        raise NotFound(f"“{run.name}” has no result for this prompt.", remedy="Look at another run.")
    first = ask.proponents(session, [column.result.id], depth)[column.result.id]
    return Shared(run, prompt, column.result, column.output, first)
