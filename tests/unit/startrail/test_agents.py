"""An agent asks through the official SDK's own client: what the tools give is what the site answers, and no more is allowed."""

import asyncio
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from mcp import Client as Agent
from mcp.client.stdio import StdioServerParameters

from app.main import create_app
from app.settings import Settings
from app.store import tokens
from app.store.engine import open_store
from startrail import Client, Home
from startrail.agents import MOST, make_server
from startrail.inside import Inside
from tests.support.asking import made_home

ADDRESS = "http://localhost:8000"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home with the tiny model and its index, whose worker is this process."""
    shutil.copytree(made_home(), tmp_path / "home")
    with Home(tmp_path / "home", device="cpu", steps_per_lane=0) as opened:
        yield opened


@pytest.fixture
def read(filled_sqlite: Path, tmp_path: Path) -> Iterator[Home]:
    """A home with runs and no model."""
    (tmp_path / "read").mkdir()
    shutil.copy(filled_sqlite, tmp_path / "read" / "startrail.db")
    with Home(tmp_path / "read") as opened:
        yield opened


def asked(client: Client, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """What the tools answer an agent: structured content, or the text of the refusal."""

    async def ask() -> list[Any]:
        async with Agent(make_server(client)) as agent:
            answers = [await agent.call_tool(name, arguments) for name, arguments in calls]
        return [each.content[0].text if each.is_error else each.structured_content for each in answers]

    return asyncio.run(ask())


def test_the_tools_are_five_and_say_what_they_take(read: Home) -> None:
    async def names() -> dict[str, Any]:
        async with Agent(make_server(read)) as agent:
            return {tool.name: tool for tool in (await agent.list_tools()).tools}

    tools = asyncio.run(names())
    assert sorted(tools) == ["compare", "read", "search", "step", "trace"]
    assert all(tool.description for tool in tools.values())
    assert tools["search"].input_schema["properties"]["limit"]["maximum"] == MOST


def test_what_is_found_can_be_read_and_compared(read: Home) -> None:
    found, _ = asked(read, ("search", {"words": "capital", "limit": 3}), ("search", {"words": "zzz"}))
    assert len(found["prompts"]) == 3
    assert found["total"] == read.get("/prompts", q="capital")["listing"]["total"]
    first = found["prompts"][0]
    example, compared = asked(
        read,
        ("read", {"address": first["read"]}),
        ("compare", {"prompt": first["slug"], "runs": ["trackstar", "bm25"]}),
    )
    page = read.get(first["read"])
    assert [each["passage_id"] for each in example["for"]] == [
        each["passage_id"] for each in page["proponents"]
    ]
    assert [side["run"] for side in compared["sides"]] == ["trackstar", "bm25"]
    (passage,) = asked(read, ("read", {"address": f"/passages/{example['for'][0]['passage_id']}"}))
    assert passage["text"].startswith(example["for"][0]["text"][:50])


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("read", {"address": "/admin"}, "nothing to read"),
        ("read", {"address": "/passages/999999999"}, "no passage"),
        ("read", {"address": "http://evil.example/"}, "nothing to read"),
        ("search", {"words": "a", "limit": 1000}, "less than or equal to 50"),
        ("search", {"words": "a", "run": "nowhere"}, "no run"),
        ("compare", {"prompt": "capital-china", "runs": ["trackstar"]}, "at least 2"),
        ("trace", {"prompt": " "}, "empty"),
        ("step", {"trace": "nothing"}, "no trace"),
    ],
)
def test_a_refusal_says_why(read: Home, tool: str, arguments: dict[str, Any], said: str) -> None:
    """The site's words and remedy, not a traceback; an agent can mend its question."""
    if tool == "trace":
        read._need_worker = lambda: None  # type: ignore[method-assign]  # here no worker is asked for
    (answer,) = asked(read, (tool, arguments))
    assert isinstance(answer, str)
    assert said in answer or "index" in answer


@pytest.mark.slow
def test_a_question_is_traced_and_stepped(home: Home) -> None:
    (traced,) = asked(home, ("trace", {"prompt": "The capital of France is", "k": 3}))
    assert len(traced["for"]) == 3
    calls = (
        ("step", {"trace": traced["trace"], "control": 2}),
        ("read", {"address": f"/traces/{traced['trace']}"}),
    )
    stepped, again = asked(home, *calls)
    assert set(stepped["points_by_passage"]) == {str(each["passage_id"]) for each in traced["for"]}
    assert len(stepped["points_of_random_passages"]) == 2
    assert again["probability"] == traced["probability"] == stepped["probability_before"]


@pytest.mark.slow
def test_the_command_serves_over_standard_input_and_output(read: Home) -> None:
    """As an agent's host starts it: nothing but the protocol on standard output."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "app.cli", "mcp"],
        env={"STARTRAIL_HOME": str(read.settings.home), "PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )

    async def ask() -> Any:
        async with Agent(command) as agent:
            return await agent.call_tool("search", {"words": "capital", "limit": 2})

    assert len(asyncio.run(ask()).structured_content["prompts"]) == 2


@pytest.mark.parametrize(
    ("access", "scopes", "searched", "traced"),
    [
        ("private", (), "needs a sign-in", "needs a sign-in"),
        ("private", ("read",), "", "not among the rights"),
        ("read", (), "", "needs a sign-in"),
        ("read", ("read", "ask"), "", "no index"),  # let through, and refused for what is not there
    ],
)
def test_an_agent_may_do_what_its_token_may(
    filled_sqlite: Path,
    tmp_path: Path,
    access: Literal["private", "read"],
    scopes: Sequence[str],
    searched: str,
    traced: str,
) -> None:
    """The same rights as over HTTP, for the tools are HTTP; the refusal is what the agent reads."""
    shutil.copy(filled_sqlite, tmp_path / "startrail.db")
    store = open_store(f"sqlite:///{tmp_path / 'startrail.db'}")
    with store.session() as session:
        token = tokens.add(session, "agent", scopes, expires_at=None) if scopes else ""
    store.engine.dispose()
    site = create_app(Settings(home=tmp_path, access=access, _env_file=None))
    with Client(ADDRESS, token=token, http=httpx.Client(transport=Inside(site), base_url=ADDRESS)) as client:
        found, asked_for = asked(client, ("search", {"words": "capital"}), ("trace", {"prompt": "Mali is"}))
    for answer, said in ((found, searched), (asked_for, traced)):
        assert (said in answer) if said else answer["prompts"], answer
