"""The guide's way from a table to a permalink: its commands run as they stand, and lead to the page that it names."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.cli.main import app
from app.main import create_app
from app.settings import get_settings

GUIDE = Path(__file__).parents[3] / "docs" / "bring-your-own.md"
PASSAGES = (
    'id,text\na,"Bamako is the capital of Mali, on the Niger."\nb,Accra lies by the sea.\nc,Cedi is money.\n'
)
QUESTIONS = "id,prompt,target\nmali,The capital of Mali is,Bamako\nghana,The currency of Ghana is the,cedi\n"
SCORES = [[0.9, 0.2, 0.1], [0.0, 0.3, 0.8]]


@pytest.mark.slow
def test_five_commands_lead_from_a_table_to_a_permalink(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    Path("passages.csv").write_text(PASSAGES)
    Path("questions.csv").write_text(QUESTIONS)
    np.save("scores.npy", np.array(SCORES, np.float32))
    section = GUIDE.read_text().split("## From a table to a permalink")[1].split("\n## ")[0]
    commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].splitlines()
    assert len(commands) == 5
    for command in commands[:3]:
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0, (command, done.output)
    assert commands[3].startswith("startrail serve")
    with TestClient(create_app(get_settings()), base_url="http://localhost:8000") as client:
        listing = client.get(shlex.split(commands[4])[1]).json()["listing"]
        assert listing["items"][0]["slug"] == "mali"
        permalink = re.search(r"`(http://localhost:8000/runs/\S+)`", section)
        assert permalink is not None
        page = client.get(permalink[1])
        assert page.status_code == 200
        assert "on the Niger" in page.text
        ranked = client.get(permalink[1], headers={"Accept": "application/json"}).json()["proponents"]
        assert [each["external_id"] for each in ranked] == ["a", "b", "c"]
        client.app.state.imports.close()  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
        client.app.state.store.engine.dispose()  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
