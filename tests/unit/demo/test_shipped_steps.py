"""The shipped steps are what this code measures of the shipped model: a sample is taken again."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.demo.shipped import corpus_path, model_path, prompts_path, steps_path
from app.digests import CorpusDigest
from app.models.load import load_model
from app.models.steps import TailPatch
from app.models.text import Query
from app.tracing.stepping import key_of

SAMPLE, PASSAGES = 3, 8


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def corpus() -> dict[str, str]:
    return {passage["id"]: passage["text"] for passage in read(corpus_path())}


@pytest.fixture(scope="module")
def patch() -> TailPatch:
    return TailPatch(load_model(model_path()))


def test_they_are_of_the_model_and_the_corpus_beside_them(corpus: dict[str, str], patch: TailPatch) -> None:
    digest = CorpusDigest()
    for id_, text in corpus.items():
        digest.add(id_, text)
    head, *lines = read(steps_path())
    assert head == {"steps": 1, "model_sha256": patch.model.sha256, "corpus_sha256": digest.hexdigest()}
    assert len({line["key"] for line in lines}) == len(lines)
    assert all(line["after"].keys() <= corpus.keys() for line in lines)


@pytest.mark.slow
def test_a_sample_taken_again_is_equal(corpus: dict[str, str], patch: TailPatch) -> None:
    """Prompts whose target is explained, drawn at random: before, settings, and where steps leave the probability."""
    known = {line["key"]: line for line in read(steps_path())[1:]}
    draw, found = Random(1), 0
    prompts = read(prompts_path())
    for prompt in draw.sample(prompts, len(prompts)):
        query = Query.of_target(prompt["prompt"], prompt["target"])
        line = known.get(key_of(patch, query, None))
        if line is None:
            continue
        found += 1
        assert line["settings"] == patch.settings
        assert patch.probabilities([query]) == [pytest.approx(line["before"], rel=1e-4, abs=1e-7)]
        ids = draw.sample(sorted(line["after"]), PASSAGES)
        got = patch.after([(corpus[id_], [query]) for id_ in ids])
        for id_, (end,) in zip(ids, got, strict=True):
            assert end == pytest.approx(line["after"][id_], rel=1e-3, abs=1e-6)
        if found == SAMPLE:
            return
    raise AssertionError(f"only {found} prompts have steps")


def test_forty_prompts_of_each_task_have_forty_steps(patch: TailPatch) -> None:
    """Drawn as `startrail steps` draws: the pages of these open with all four lanes."""
    known = {line["key"]: line for line in read(steps_path())[1:]}
    counts: dict[str, int] = {}
    for prompt in read(prompts_path()):
        line = known.get(key_of(patch, Query.of_target(prompt["prompt"], prompt["target"]), None))
        if line and len(line["after"]) >= 30:  # a passage may stand in two lanes
            counts[prompt["task"]] = counts.get(prompt["task"], 0) + 1
    assert len(counts) == 4
    assert min(counts.values()) >= 40
