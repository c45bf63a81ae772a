"""Tasks that choose, the chance floor and how firm a place is, as a reader meets them: with JavaScript and without."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.interchange.results import import_results
from app.settings import Settings
from app.store.engine import open_store
from app.words.chance import Chance
from tests.support.axe import violations

CHOICES = ["mended it.", "ate it, and went on to eat the string."]


def bell(floor: float, above: int) -> dict[str, Any]:
    edges = tuple(round(-0.5 + at / 10, 1) for at in range(11))
    return Chance(
        1_000, 500, 0.0, 0.1, floor, -floor, edges, (0, 0, 50, 90, 110, 110, 90, 50, 0, 0), above, 0
    ).as_dict()


def record(name: str, chance: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    passages = [
        f"Passage {number} of {name}: a kite of its own kind, number {number * 7}." for number in range(3)
    ]
    told = (
        {"chance_floor": chance["floor"], "above_chance": chance["above"], "chance": chance} if chance else {}
    )
    return {
        "example_id": name,
        "inputs_plaintext": f"The kite of {name} tore, so Ama",
        "targets_plaintext": CHOICES[0],
        "task": "commonsense",
        "is_8b_correct": True,
        "target_probability": 0.4,
        "proponents": passages,
        "proponent_ids": [f"{name}-{number}" for number in range(3)],
        "proponent_scores": [0.5, 0.3, 0.1],
        "proponent_halves": [2, 1, 0],
        **told,
        **more,
    }


RECORDS = [
    record(
        "choosing",
        choices=CHOICES,
        label=1,
        is_8b_correct=False,
        model_answer=CHOICES[0],
        targets_plaintext=CHOICES[1],
        weighed_choices={"by": "total", "logs": [-2.0, -9.0], "tokens": [3, 9]},
        contrast=f" {CHOICES[0]}",
    ),
    record("folding", bell(0.4, 1)),
    record("nothing", bell(0.6, 0)),
    record("guessing", bell(0.4, 1), targets_plaintext="Bamako", target_probability=0.001),
]


@pytest.fixture(scope="module")
def doubtful(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    serve: Callable[[Settings], AbstractContextManager[str]],
) -> Iterator[str]:
    """The address of a site with one run of each form of doubt."""
    home = tmp_path_factory.mktemp("doubtful")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    file = home / "results.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        import_results(session, file, run="trackstar")
    store.engine.dispose()
    with serve(Settings(home=home, _env_file=None)) as address:
        yield address


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def reader(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def test_the_choices_stand_under_the_claim_and_wrong_ones_are_found(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/choosing")
    table = reader.get_by_role("region", name="How likely each choice is")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row").nth(1)).to_contain_text("the model’s")
    expect(table.get_by_role("row").nth(2)).to_contain_text("right")
    expect(reader.locator("h1")).to_contain_text(f"rather than {CHOICES[0]}")
    expect(reader.locator(".choices")).to_contain_text("1,097 times as likely as the next")
    reader.goto(f"{doubtful}/prompts?run=trackstar&right=no")
    expect(reader.locator(".list-column .prompt-list li")).to_have_count(1)
    expect(reader.locator(".list-column .prompt-list li")).to_contain_text("The kite of choosing tore")


def test_the_list_folds_where_chance_begins(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/folding")
    expect(reader.get_by_text("1 of 1,000 passages stands out")).to_be_visible()
    expect(reader.locator("#p1")).to_be_visible()
    expect(reader.locator("#p2")).to_be_hidden()
    reader.get_by_text("2 more passages within chance").click()
    expect(reader.locator("#p2")).to_be_visible()


def test_nothing_stands_out_is_an_answer(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/nothing")
    expect(reader.get_by_text("Nothing stands out")).to_be_visible()
    expect(reader.locator("#p1")).to_be_hidden()
    reader.get_by_text("3 more passages within chance").click()
    expect(reader.locator("#p1")).to_be_visible()


def test_that_the_model_was_guessing_is_an_answer(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/guessing")
    expect(reader.get_by_text("The model was guessing (0.1 %).")).to_be_visible()
    reader.goto(f"{doubtful}/runs/trackstar/prompts/folding")
    expect(reader.get_by_text("The model was guessing")).to_have_count(0)


def test_how_firm_each_place_is_stands_beside_its_passage(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/choosing")
    for rank, words in ((1, "both half-searches"), (2, "one half-search"), (3, "neither half-search")):
        expect(reader.locator(f"#p{rank} .recurs")).to_have_text(f"found by {words}")


@pytest.mark.parametrize("name", ["choosing", "nothing"])
def test_on_a_phone_and_for_everyone(phone: Page, doubtful: str, name: str) -> None:
    phone.goto(f"{doubtful}/runs/trackstar/prompts/{name}")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not violations(phone)
