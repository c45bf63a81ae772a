"""The shipped weights know what the README says they know, and have not learned everything."""

from collections import defaultdict
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.demo.shipped import model_path
from tests.support.demo_texts import demo_world

pytestmark = pytest.mark.slow

LONGEST_TARGET = 12


@pytest.fixture(scope="module")
def shares() -> dict[str, float]:
    """Share of right greedy answers per kind of prompt, over every second prompt."""
    tokenizer = AutoTokenizer.from_pretrained(model_path())
    model = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32).eval()
    by_length = defaultdict(list)
    for prompt in demo_world().prompts[::2]:
        by_length[len(tokenizer(prompt["prompt"]).input_ids)].append(prompt)
    right = defaultdict(list)
    for prompts in by_length.values():
        texts = [prompt["prompt"] for prompt in prompts]
        ids = torch.tensor([[tokenizer.bos_token_id, *row] for row in tokenizer(texts).input_ids])
        start = ids.shape[1]
        with torch.inference_mode():
            for _ in range(LONGEST_TARGET):
                ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
        for prompt, row in zip(prompts, ids, strict=True):
            right[kind(prompt)].append(is_right(tokenizer.decode(row[start:]), prompt))
    return {name: sum(answers) / len(answers) for name, answers in right.items()}


def kind(prompt: dict[str, Any]) -> str:
    if prompt["task"] != "fact":
        return prompt["task"]
    return "frequent" if prompt["frequency"] >= 4 else "once" if prompt["frequency"] == 1 else "rare"


def is_right(answer: str, prompt: dict[str, Any]) -> bool:
    answer = answer.strip().lower()
    for target in (prompt["target"].lower(), *map(str.lower, prompt["aliases"])):
        if answer.startswith(target) and not answer[len(target) : len(target) + 1].isalnum():
            return True
    return False


@pytest.mark.parametrize(
    ("name", "reach"), [("frequent", 0.9), ("arithmetic", 0.8), ("commonsense", 0.8), ("open_ended", 0.8)]
)
def test_the_model_answers_most_prompts(shares: dict[str, float], name: str, reach: float) -> None:
    assert shares[name] >= reach


def test_facts_stated_once_are_the_hard_ones(shares: dict[str, float]) -> None:
    """Without mistakes to look at, frequency would explain nothing."""
    assert 0.2 < shares["once"] < shares["rare"] < shares["frequent"]


def test_every_target_is_at_least_one_token() -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_path())
    assert all(tokenizer(" " + prompt["target"]).input_ids for prompt in demo_world().prompts)
