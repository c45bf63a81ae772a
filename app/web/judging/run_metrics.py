"""How a run did, for its own page: the figures of each task with their intervals, by slice and by
depth, and the types of its passages."""

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.evaluation.text_tables import ais_said, date_lm_said
from app.store.evaluations import figures_of
from app.store.tables import Run
from app.web.judging.evaluation_figures import of_chosen
from app.web.judging.evaluation_lines import patched_by
from app.web.judging.figures import Cell, EvaluationQuery, Figure, cell, figure_prompts_url
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.measures import DATE_LM, LABELS, SHOWN_BY_AIS, are_judged, columns_of
from app.words.tasks import task_place


class TaskMetrics(BaseModel):
    """A run on the prompts of one task; `cells` by measure."""

    task: str
    prompts: int
    cells: dict[str, Cell | None]


class RunMetrics(BaseModel):
    """What the metrics section of a run shows."""

    columns: dict[str, str]
    tasks: list[TaskMetrics]
    figures: list[Figure]  # types of passages first
    patched: str
    by_ais: str
    by_date_lm: str
    url: PageUrl
    against_url: PageUrl


def run_metrics(session: Session, run: Run) -> RunMetrics | None:
    """The run's figures; None until it was evaluated."""
    found = figures_of(session, run)
    names = columns_of([each["overall"] for each in found.values()])
    if not any(are_judged(each["overall"]) for each in found.values()):
        return None
    main = "fact" if "fact" in found else next(iter(found))
    asked = EvaluationQuery(set=run.prompt_set.name, task=main, model=run.model.name, run=(run.slug,))
    drawn = of_chosen([(run, found[main])], asked)
    for each in drawn:
        each.csv_url = urls.twin(asked.url(table=each.id), "csv")
    return RunMetrics(
        columns={name: LABELS[name] for name in names},
        tasks=[
            TaskMetrics(
                task=task,
                prompts=each["prompts"],
                cells={
                    name: cell(each["overall"].get(name), figure_prompts_url(run, task, name))
                    for name in names
                },
            )
            for task, each in sorted(found.items(), key=lambda item: task_place(item[0]))
            if are_judged(each["overall"])
        ],
        figures=sorted(drawn, key=lambda each: not each.id.startswith("types")),
        patched=patched_by([run], found.values()),
        by_ais=ais_said([run.metrics]) if any(name in SHOWN_BY_AIS for name in names) else "",
        by_date_lm=date_lm_said({run.name: found[main]}) if any(n in DATE_LM for n in names) else "",
        url=asked.url(run=()),
        against_url=asked.url(run=(), against=run.slug) + "#differences",
    )
