"""Many questions at once: all are checked and saved, or none is."""

from sqlalchemy.orm import Session

from app.errors import UserError
from app.settings import Settings
from app.store import batches
from app.tracing import asking
from app.tracing.questions import Batch

PRIORITY = 1  # whoever asks a single question does not wait for a hundred


def ask_all(session: Session, settings: Settings, batch: Batch) -> str:
    """Save the questions for the worker, behind those that are asked singly; returns the batch's id.

    Raises:
        UserError: one cannot be asked; `field` says which and where (`questions[3].prompt`), and nothing was saved.
        app.store.jobs.QueueFull: they do not all find a place in the queue.
    """
    asked = []
    for at, question in enumerate(batch.questions):
        try:
            asked.append(asking.ask(session, settings, question, priority=PRIORITY))
        except UserError as error:
            if error.field is not None:
                error.field = f"questions[{at}].{error.field}"
            raise
    return batches.add(session, [each.job.id for each in asked], [each.reused for each in asked])
