"""One example as it is shared: what its card and its citation are made of."""

from sqlalchemy.orm import Session

from app.store.examples import Example, get_example
from app.store.runs import get_run
from app.store.tables import Run
from app.words.answers import SAID
from app.words.methods import method_label


def shared(session: Session, run: str, prompt: str, depth: int, explains: str = SAID) -> Example:
    """The example of these names with its first `depth` proponents; `explains` as in `get_example`.

    Raises:
        NotFound: no such run, or it has no such prompt.
    """
    return get_example(session, get_run(session, run), prompt, "proponent", limit=depth, explains=explains)


def method_name(run: Run) -> str:
    """The run's method as pages call it."""
    return method_label(run.method)
