"""Which runs are evaluated."""

from sqlalchemy.orm import Session

from app.errors import UserError
from app.store.prompts import get_prompt_set
from app.store.runs import get_run, list_runs
from app.store.tables import Run


def chosen_runs(session: Session, names: str = "", prompt_set: str = "", against: str = "") -> list[Run]:
    """The finished runs of these names, or all, of one prompt set if one is named; with the one they are held against.

    Args:
        names: of runs, separated by commas; empty: every run there is.

    Raises:
        UserError: there is none. NotFound: a name is unknown.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    chosen = [get_run(session, name) for name in wanted] if wanted else list_runs(session)
    if prompt_set:
        id_ = get_prompt_set(session, prompt_set).id
        chosen = [run for run in chosen if run.prompt_set_id == id_]
    chosen = [run for run in chosen if run.status == "done"]
    if against and get_run(session, against).id not in {run.id for run in chosen}:
        chosen.append(get_run(session, against))
    if not chosen:
        raise UserError(
            "There is no run to evaluate.", remedy="Make one with `startrail retrieve`, or import one."
        )
    return chosen
