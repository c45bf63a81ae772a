"""The leave-out experiment over a world of thirty sentences: what is trained once is never trained again."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.demo.pretrain import pretrain
from app.errors import UserError
from app.runs.truth.experiment import Extent, run
from app.runs.truth.trainings import (
    EVERYTHING,
    TRAININGS,
    Experiment,
    Trained,
    begin,
    finished,
    train,
)
from app.truth.outcome import read_outcome
from app.words.methods import DOT, EKFAC, HELD_TO_TRUTH, TWO_STAGES
from tests.support.commands import refused, startrail
from tests.support.small_truth import IDS, SMALL, TEXTS, experiment_in


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return experiment_in(tmp_path / "work")


def kept(*without: int) -> np.ndarray:
    stays = np.ones(len(IDS), dtype=bool)
    stays[list(without)] = False
    return stays


def trained(experiment: Experiment, name: str, stays: np.ndarray) -> Trained:
    """One training, unless it is done already."""
    done = finished(experiment.work)
    train(experiment, [(name, stays)], done)
    return done[name]


def test_a_training_is_kept_when_it_is_done_and_a_line_cut_by_a_kill_is_trained_again(
    experiment: Experiment,
) -> None:
    begin(experiment)
    first = trained(experiment, "one", kept(3, 4))
    file = experiment.work / TRAININGS
    file.write_bytes(file.read_bytes() + b'{"name": "two", "mar')
    assert finished(experiment.work).keys() == {"one"}
    second = trained(experiment, "two", kept(3, 4))
    assert second["margins"] == first["margins"], "the same passages, batches and threads: the same weights"
    assert [json.loads(line)["name"] for line in file.read_text().splitlines()] == ["one", "two"]
    assert trained(experiment, "one", kept(3, 4)) == first
    assert {each.name for each in experiment.work.iterdir()} == {"plan.json", TRAININGS}
    with pytest.raises(UserError, match="other passages"):
        trained(experiment, "one", kept(5))


def test_a_work_directory_is_of_one_experiment(experiment: Experiment) -> None:
    begin(experiment)
    begin(experiment)
    with pytest.raises(UserError, match="Name another --work"):
        begin(replace(experiment, config=replace(SMALL, epochs=2)))


def test_what_is_left_out_leaves_its_place_empty(tmp_path: Path) -> None:
    """A whole batch may go; tokenizer, learning rates and the number of batches stay those of everything."""
    whole = pretrain(TEXTS, tmp_path / "whole", SMALL)
    again = pretrain(TEXTS, tmp_path / "again", SMALL, left_out=())
    part = pretrain(TEXTS, tmp_path / "part", SMALL, left_out=range(20))
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "again", "part")]
    assert weights[0] == weights[1] != weights[2]
    assert part.tokens < whole.tokens == again.tokens
    tokenizers = {(tmp_path / name / "tokenizer.json").read_bytes() for name in ("whole", "part")}
    assert len(tokenizers) == 1
    with pytest.raises(UserError, match="no passage to train on"):
        pretrain(TEXTS, tmp_path / "none", SMALL, left_out=range(30))


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    """As if nobody had stopped it: at its last finished reading, with the optimizer and the order that it had there."""
    config, state, steps = replace(SMALL, epochs=3), tmp_path / "state", []

    def stop(step: int, total: int, tokens: int, loss: float, rate: float) -> None:
        steps.append(step)
        if step == 9:  # in the third reading of four steps each
            raise KeyboardInterrupt

    whole = pretrain(TEXTS, tmp_path / "whole", config, left_out=[3])
    with pytest.raises(KeyboardInterrupt):
        pretrain(TEXTS, tmp_path / "part", config, left_out=[3], state=state, progress=stop)
    assert [each.name for each in tmp_path.iterdir() if each.name != "whole"] == ["state"]
    again = pretrain(
        TEXTS,
        tmp_path / "part",
        config,
        left_out=[3],
        state=state,
        progress=lambda *said: steps.append(said[0]),
    )
    assert steps == [*range(1, 10), *range(9, 13)]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "part")]
    assert weights[0] == weights[1]
    assert (again.tokens, again.final_loss) == (whole.tokens, whole.final_loss)


def test_nothing_is_invented_where_nothing_is_trained(experiment: Experiment, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No training is done"):
        run(experiment, Extent(3, 0, train=False), tmp_path / "out.json.gz", "startrail truth")


@pytest.mark.slow
def test_the_whole_experiment_ends_in_a_file_and_a_second_call_in_the_same_bytes(
    experiment: Experiment, tmp_path: Path
) -> None:
    out = tmp_path / "truth.json.gz"
    made = run(experiment, Extent(3, 1, ticked=1), out, "startrail truth")
    assert made.measured.shape == (3, 4)
    assert made.predicted.keys() == set(HELD_TO_TRUTH)
    assert all(np.isfinite(sums).all() for sums in made.predicted.values())
    assert [row["method"] for row in made.without] == list(HELD_TO_TRUTH)
    assert np.allclose(made.predicted[TWO_STAGES], made.predicted[EKFAC], rtol=1e-4), (
        "30 passages: all are candidates"
    )
    assert np.allclose(made.by_first[EKFAC], made.predicted[EKFAC], rtol=1e-4)
    assert not np.allclose(made.predicted[DOT], made.predicted[EKFAC])
    first = out.read_bytes()
    assert (experiment.work / "model" / "config.json").is_file()
    run(experiment, Extent(3, 1, train=False, ticked=1), out, "startrail truth")
    assert out.read_bytes() == first
    assert read_outcome(out).trainings == made.trainings
    assert [(row["training"], row["prompt"]) for row in made.ticked] == [("ticked-00", at) for at in range(4)]
    assert all(
        len(ids) == len(scores) > 0 for ids, scores in zip(*list(made.influences.values())[1:], strict=True)
    )
    assert len(finished(experiment.work)) == 1 + 3 + len(HELD_TO_TRUTH) + 1
    assert EVERYTHING in finished(experiment.work)


def test_a_cluster_is_refused_where_ray_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read."""
    monkeypatch.setitem(sys.modules, "ray", None)
    refused(startrail("truth", "--cluster", "auto"), "pip install 'startrail[ray]'")
