"""The outcome of leaving out as a table."""

from rich.table import Table

from app.evaluation.metrics import Estimate
from app.truth.outcome import FEWEST, Outcome, figures
from app.words.methods import method_label


def table(outcome: Outcome) -> Table | str:
    """Each method's LDS and QLD, best first; a sentence while there are too few trainings."""
    found = figures(outcome)
    if found is None:
        return f"{len(outcome.trainings)} trainings are done; an order takes {FEWEST}."
    shown = Table("method", "LDS", "95 %", "QLD", "95 %")
    for each in found.methods:
        shown.add_row(method_label(each.method), *_cells(each.lds), *_cells(each.qld))
    return shown


def _cells(value: Estimate | None) -> tuple[str, str]:
    return (f"{value.mean:.3f}", f"{value.low:.3f} to {value.high:.3f}") if value else ("–", "")
