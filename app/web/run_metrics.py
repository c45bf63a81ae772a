"""How a run did, for its own page: the figures of each task with their intervals, and the types of its passages."""

from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.evaluation.measures import LABELS
from app.evaluation.tables import SHOWN, SHOWN_BY_AIS
from app.store.evaluations import figures_of
from app.store.tables import Run
from app.web import urls
from app.web.evaluation_figures import types
from app.web.figures import Cell, Figure, behind, cell


class TaskMetrics(BaseModel):
    """A run on the prompts of one task; `cells` by measure."""

    task: str
    prompts: int
    cells: dict[str, Cell | None]


class RunMetrics(BaseModel):
    """What the metrics section of a run shows."""

    columns: dict[str, str]
    tasks: list[TaskMetrics]
    types: Figure | None
    settings: dict[str, Any] | None
    url: str


def run_metrics(session: Session, run: Run) -> RunMetrics | None:
    """The run's figures; None until it was evaluated."""
    found = figures_of(session, run)
    names = [
        name for name in (*SHOWN, *SHOWN_BY_AIS) if any(name in each["overall"] for each in found.values())
    ]
    if not names:
        return None
    main = "fact" if "fact" in found else next(iter(found))
    drawn = types((run, found[main]), main)
    if drawn:
        query = {"set": run.prompt_set.name, "task": main, "run": [run.slug], "table": drawn.id}
        drawn.csv_url = urls.twin(urls.evaluation(**query), "csv")
    return RunMetrics(
        columns={name: LABELS[name] for name in names},
        tasks=[
            TaskMetrics(
                task=task,
                prompts=each["prompts"],
                cells={name: cell(each["overall"].get(name), behind(run, task, name)) for name in names},
            )
            for task, each in found.items()
            if each["overall"]
        ],
        types=drawn,
        settings=run.metrics.get("tail_patch_settings"),
        url=urls.evaluation(set=run.prompt_set.name, task="" if main == "fact" else main),
    )
