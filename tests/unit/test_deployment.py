"""The container files against the program they run: no engine is needed to see that they fit together."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app.cli.main import app
from app.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
OPERATE = (ROOT / "docs" / "operate.md").read_text()


def instructions(name: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in DOCKERFILE if line.startswith(name + " ")]


def parses(words: list[str]) -> None:
    """A `startrail …` command whose subcommand and options exist."""
    assert words[0] == "startrail"
    command: Any = get_command(app)
    rest = words[1:]
    while rest and hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word for word in rest if word.startswith("--")} <= known


OURS = ("app", "worker", "worker-gpu")


@pytest.mark.parametrize("name", OURS)
def test_the_services_run_commands_that_exist(name: str) -> None:
    service = SERVICES[name]
    parses(service["command"])
    test = service["healthcheck"]["test"]
    assert test[0] == "CMD"
    parses(test[1:])
    assert "--check" in test
    assert service[
        "init"
    ]  # or what the check ends would be the container's first process, which cannot be killed in it


def test_a_container_is_bounded() -> None:
    """Memory, processes, logs; its root cannot be written to; and who needs no password is told none."""
    for service in SERVICES.values():
        assert {"mem_limit", "pids_limit", "logging"} <= service.keys()
    assert all(SERVICES[name]["read_only"] for name in OURS)
    secret = {name for name, service in SERVICES.items() if "POSTGRES_PASSWORD" in str(service)}
    assert secret == {*OURS, "postgres"}


def test_the_image_runs_a_command_that_exists() -> None:
    parses(json.loads(instructions("CMD")[-1]))


def test_everyone_means_the_same_port() -> None:
    options = SERVICES["app"]["command"]
    port = options[options.index("--port") + 1]
    assert [port] == instructions("EXPOSE")
    assert SERVICES["app"]["ports"][0].endswith(f":{port}")
    look = ["startrail", "serve", "--check", "--port", port]
    assert SERVICES["app"]["healthcheck"]["test"] == ["CMD", *look]
    assert json.loads(instructions("HEALTHCHECK")[0].partition(" CMD ")[2]) == look


def test_settings_in_the_files_are_settings_of_the_program() -> None:
    known = {f"STARTRAIL_{name.upper()}" for name in Settings.model_fields}
    text = "\n".join([(ROOT / "docker-compose.yml").read_text(), *DOCKERFILE, OPERATE])
    # The port is of the host's side, for compose alone.
    assert set(re.findall(r"STARTRAIL_[A-Z_]+", text)) - {"STARTRAIL_PORT"} <= known


def test_home_is_a_volume_that_the_user_may_write() -> None:
    home = SERVICES["app"]["environment"]["STARTRAIL_HOME"]
    assert f"STARTRAIL_HOME={home}" in " ".join(instructions("ENV"))
    assert instructions("VOLUME") == [home]
    for name in OURS:
        assert f"home:{home}" in SERVICES[name]["volumes"]
        assert SERVICES[name]["environment"] == SERVICES["app"]["environment"]
    assert {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]} == set(
        COMPOSE["volumes"]
    )


def test_nothing_of_ours_runs_as_root() -> None:
    user = instructions("USER")[-1]
    assert user not in ("root", "0")
    last = max(n for n, line in enumerate(DOCKERFILE) if line.startswith("FROM "))
    assert any(line.startswith("USER ") for line in DOCKERFILE[last:])
    assert any(f"useradd --uid 10001 --create-home {user}" in line for line in DOCKERFILE[last:])
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_the_database_is_the_one_that_is_started() -> None:
    postgres = SERVICES["postgres"]["environment"]
    url = SERVICES["app"]["environment"]["STARTRAIL_DATABASE_URL"]
    assert url.startswith(f"postgresql://{postgres['POSTGRES_USER']}:${{POSTGRES_PASSWORD:?")
    assert url.endswith(f"@postgres/{postgres['POSTGRES_DB']}")
    health = SERVICES["postgres"]["healthcheck"]["test"][1]
    assert f"--username {postgres['POSTGRES_USER']} --dbname {postgres['POSTGRES_DB']}" in health


def test_services_wait_for_what_they_need() -> None:
    """The worker does not migrate: it starts when the site, which does, answers."""
    waits = {
        name: {other: each["condition"] for other, each in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert waits == {
        "app": {"postgres": "service_healthy"}, "worker": {"app": "service_healthy"},
        "worker-gpu": {"app": "service_healthy"}, "postgres": {},
    }  # fmt: skip
    assert all("healthcheck" in service for service in SERVICES.values())


def test_the_image_is_built_from_files_that_are_there() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    for line in instructions("COPY"):
        if line.startswith("--from"):
            continue
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored


def test_the_image_has_every_package_of_the_wheel() -> None:
    """`startrail` joined `app`, and the image was built without it."""
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {word for line in instructions("COPY") for word in line.split()}
    let_in = (ROOT / ".dockerignore").read_text().split()
    linked = {link.readlink().name for link in (ROOT / "app/_site").iterdir()}
    for name in {*built["packages"], *linked}:
        assert name in copied
        assert f"!{name}" in let_in


def test_the_image_has_the_torch_that_the_tests_have() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = next(
        line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")
    )
    assert any(wanted in line for line in instructions("RUN"))
    python = instructions("FROM")[0].split(":")[1].split("-")[0]
    assert tuple(map(int, python.split("."))) >= tuple(
        map(int, project["requires-python"].removeprefix(">=").split("."))
    )


def test_a_gpu_is_asked_for_by_one_profile() -> None:
    """Its image is built with the arguments that the Dockerfile has and an extra that the package has."""
    service = SERVICES["worker-gpu"]
    assert service["profiles"] == ["gpu"]
    assert "profiles" not in SERVICES["worker"]
    arguments = {line.split("=")[0] for line in instructions("ARG")}
    assert service["build"]["args"].keys() == arguments
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {
        service["build"]["args"]["FAISS"],
        *(line.split("=")[1] for line in instructions("ARG") if "FAISS" in line),
    }
    assert asked == {"gpu", "cpu"}
    assert asked <= extras.keys()
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert service["image"] != SERVICES["worker"]["image"]


def test_the_commands_of_the_handbook_exist() -> None:
    for line in re.findall(r"(?:^|[`(] ?| app )(startrail [a-z-]+[^`\n#|]*)", OPERATE, re.MULTILINE):
        words = line.replace('"', "").split()
        if words[1] != "serve" or len(words) > 2:
            parses([word for word in words if not word.startswith("/")])
