"""What a training leaves on the disk to go on from goes once it is over."""

from pathlib import Path

from app.store import jobs
from app.store.engine import Store
from app.tracing.retraining import STATE, _sweep
from app.tracing.without import KIND


def test_what_cancelled_trainings_left_goes_with_the_next(store: Store, tmp_path: Path) -> None:
    """The model with everything, and what still waits, go on from theirs."""
    with store.session() as session:
        waits, over = (jobs.add(session, KIND, {"kind": KIND}, limit=10).id for _ in range(2))
        jobs.cancel(session, over)
    place = tmp_path / "without"
    place.mkdir()
    for name in (waits, over, "everything"):
        (place / f"{name}{STATE}").touch()
    _sweep(store, place)
    assert {file.name for file in place.iterdir()} == {f"{waits}{STATE}", f"everything{STATE}"}
