"""A leave-out experiment over a world of thirty sentences."""

from pathlib import Path

from app.demo.pretrain import PretrainConfig
from app.runs.truth.trainings import AskedPrompt, Experiment

SMALL = PretrainConfig(
    vocab_size=300,
    hidden_size=16,
    layers=2,
    heads=2,
    kv_heads=2,
    intermediate_size=16,
    epochs=1,
    batch_size=8,
)
PLACES = ("Oslo", "Bergen", "Lima", "Cairo", "Quito")
TEXTS = [f"The capital number {at} is {PLACES[at % 5]}." for at in range(30)]
IDS = [f"p-{at}" for at in range(30)]
ASKED = [AskedPrompt(f"q-{at}", f"The capital number {at} is", PLACES[at % 5], f"r-{at}") for at in range(4)]


def experiment_in(work: Path) -> Experiment:
    return Experiment("c0ffee", "", IDS, TEXTS, ASKED, SMALL, work, projection_dim=4)
