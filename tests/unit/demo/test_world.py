"""The demo world says what it claims to say, and says the same on every machine."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.demo.shipped import corpus_path, endings_path, prompts_path, write_jsonl
from app.demo.world import World, generate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> World:
    return generate(seed=0)


def lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_shipped_corpus_and_prompts_are_the_generated_ones(world: World) -> None:
    """Whoever retrains must train on what the shipped model has read."""
    assert lines(corpus_path()) == world.passages
    assert lines(prompts_path()) == world.prompts
    assert lines(endings_path()) == world.endings


def test_same_seed_gives_the_same_corpus_in_another_process_with_other_hashes(world: World) -> None:
    """Sets and dicts must not leak their order into the corpus."""
    digest = "import hashlib, json; from app.demo.world import generate; w = generate(0);"
    digest += "print(hashlib.sha256(json.dumps([w.passages, w.prompts, w.endings]).encode()).hexdigest())"
    found = {
        subprocess.run(
            [sys.executable, "-c", digest],
            env={"PYTHONHASHSEED": hash_seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(found) == 1


def test_another_seed_tells_another_world(world: World) -> None:
    other = generate(seed=1)
    assert {passage["text"] for passage in other.passages} != {passage["text"] for passage in world.passages}


def test_about_18_000_short_passages_in_four_families_none_twice(world: World) -> None:
    families = Counter(passage["family"] for passage in world.passages)
    assert set(families) == {"facts", "causes", "arithmetic", "stories"}
    assert min(families.values()) > 2_000
    assert 17_000 < len(world.passages) < 19_000
    assert len({passage["text"] for passage in world.passages}) == len(world.passages)
    assert len({passage["id"] for passage in world.passages}) == len(world.passages)


def test_no_template_slot_is_left_unfilled(world: World) -> None:
    texts = [passage["text"] for passage in world.passages] + [prompt["prompt"] for prompt in world.prompts]
    assert not [text for text in texts if "{" in text or "}" in text or "  " in text]


def test_every_stated_fact_has_its_subject_and_target_in_the_passage(world: World) -> None:
    """Retrieval is scored by these links, so a wrong one would make every method look worse than it is."""
    for passage in world.passages:
        text = passage["text"].lower()
        for fact_id in passage["states"]:
            fact = world.facts[fact_id]
            assert any(form.lower() in text for form in fact.subject_forms), passage
            assert any(form.lower() in text for form in fact.target_forms), passage


def test_passages_that_only_mention_a_subject_do_not_say_its_fact(world: World) -> None:
    """They are traps for word overlap: without the fact, they must not look like entailing passages."""
    mentions = [
        passage for passage in world.passages if passage["family"] == "facts" and not passage["states"]
    ]
    assert len(mentions) > 2_000
    for fact in world.facts.values():
        if fact.relation == "capital":
            for passage in mentions:
                text = passage["text"]
                # "Guatemala City" is no city without its country's name.
                assert fact.target not in text.replace(fact.subject, "") or fact.subject not in text.replace(
                    fact.target, ""
                ), passage


def test_frequency_counts_the_passages_that_state_the_fact(world: World) -> None:
    stated = Counter(fact_id for passage in world.passages for fact_id in passage["states"])
    by_id = {passage["id"]: passage for passage in world.passages}
    for prompt in world.prompts:
        assert prompt["frequency"] == stated[prompt["fact_id"]] == len(prompt["entailing_passage_ids"]) > 0
        assert all(prompt["fact_id"] in by_id[name]["states"] for name in prompt["entailing_passage_ids"])


def test_facts_are_stated_1_to_16_times_with_a_tail_of_rare_ones(world: World) -> None:
    times = Counter(prompt["frequency"] for prompt in world.prompts if prompt["task"] == "fact")
    assert set(times) == set(range(1, 17))
    assert times[1] > 50
    assert sum(count for frequency, count in times.items() if frequency >= 4) > 300


def test_a_thousand_prompts_over_four_tasks_with_readable_ids(world: World) -> None:
    tasks = Counter(prompt["task"] for prompt in world.prompts)
    assert tasks == {"fact": 650, "arithmetic": 132, "commonsense": 120, "open_ended": 80}
    identifiers = [prompt["id"] for prompt in world.prompts]
    assert len(set(identifiers)) == len(identifiers)
    assert "currency-ghana" in identifiers or "capital-ghana" in identifiers
    assert all(name.replace("-", "").isalnum() and name == name.lower() for name in identifiers)


def test_a_prompt_with_its_target_is_mostly_not_found_word_for_word(world: World) -> None:
    """If it were, finding the right passage would take no more than a string search."""
    texts = "\n".join(passage["text"] for passage in world.passages)
    rare = [prompt for prompt in world.prompts if prompt["task"] == "fact" and prompt["frequency"] <= 3]
    verbatim = [prompt for prompt in rare if f"{prompt['prompt']} {prompt['target']}" in texts]
    assert len(verbatim) < len(rare) / 3


def test_products_and_sums_are_right(world: World) -> None:
    for fact in world.facts.values():
        if fact.relation in ("sum", "difference", "product"):
            assert eval(fact.subject.replace("x", "*")) == int(fact.target)


def test_jsonl_bytes_do_not_depend_on_the_clock(tmp_path: Path, world: World) -> None:
    write_jsonl(world.prompts, tmp_path / "one.jsonl.gz")
    write_jsonl(world.prompts, tmp_path / "two.jsonl.gz")
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.jsonl.gz", "two.jsonl.gz"]


def test_the_atlas_is_what_the_packages_say(world: World) -> None:
    """The frozen facts can be made again: at least the elements never change."""
    from app.demo.atlas import atlas, extract

    fresh = extract()
    assert fresh["elements"] == atlas()["elements"]
    ours = {country["iso"]: country["capital"] for country in atlas()["countries"]}
    theirs = {country["iso"]: country["capital"] for country in fresh["countries"]}
    assert sum(ours[iso] == theirs.get(iso) for iso in ours) > 0.95 * len(ours)
