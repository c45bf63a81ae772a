"""What operators copy: the files of docs/cluster against what the launcher and KubeRay take, without a network."""

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "docs" / "cluster"
LAUNCHER: dict[str, Any] = yaml.safe_load((PLACE / "launcher.yaml").read_text())
KUBERAY: dict[str, Any] = yaml.safe_load((PLACE / "kuberay.yaml").read_text())
RAY = next(
    line.removeprefix("ray==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line.startswith("ray==")
)

TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
# What of a RayCluster (ray.io/v1) we use; anything else is refused, as a field that the operator does not know would be.
CONTAINER = {
    "type": "object",
    "required": ["name", "image", "resources"],
    "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "image": TEXT,
        "env": {"type": "array", "items": {"required": ["name"], "additionalProperties": TEXT}},
        "ports": {
            "type": "array",
            "items": {
                "required": ["containerPort"],
                "properties": {"containerPort": COUNT, "name": {"type": "string", "maxLength": 15}},
                "additionalProperties": False,
            },
        },
        "resources": {
            "additionalProperties": False,
            "properties": {
                side: {"type": "object", "additionalProperties": TEXT} for side in ("limits", "requests")
            },
        },
        "volumeMounts": {
            "type": "array",
            "items": {
                "required": ["name", "mountPath"],
                "properties": {"name": TEXT, "mountPath": TEXT},
                "additionalProperties": False,
            },
        },
    },
}
GROUP = {
    "rayStartParams": {"type": "object", "additionalProperties": TEXT},
    "template": {
        "type": "object",
        "required": ["spec"],
        "additionalProperties": False,
        "properties": {
            "spec": {
                "type": "object",
                "required": ["containers"],
                "additionalProperties": False,
                "properties": {
                    "containers": {"type": "array", "minItems": 1, "items": CONTAINER},
                    "volumes": {"type": "array", "items": {"required": ["name"]}},
                },
            }
        },
    },
}
WORKERS = {
    "type": "object",
    "required": ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
    "additionalProperties": False,
    "properties": {
        **GROUP,
        "groupName": TEXT,
        "replicas": COUNT,
        "minReplicas": COUNT,
        "maxReplicas": COUNT,
    },
}
CLUSTER = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayCluster"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "required": ["headGroupSpec"],
            "additionalProperties": False,
            "properties": {
                "rayVersion": TEXT,
                "headGroupSpec": {
                    "type": "object",
                    "required": ["rayStartParams", "template"],
                    "additionalProperties": False,
                    "properties": GROUP,
                },
                "workerGroupSpecs": {"type": "array", "items": WORKERS},
            },
        },
    },
}


def test_the_launcher_takes_its_file() -> None:
    """By the schema that Ray brings along and checks it with."""
    schema = json.loads((resources.files("ray.autoscaler") / "ray-schema.json").read_text())
    jsonschema.validate(LAUNCHER, schema)
    assert LAUNCHER["max_workers"] == len(LAUNCHER["provider"]["worker_ips"])


def test_kuberay_takes_its_file() -> None:
    """What a RayCluster requires, names without a slip, one Ray on all sides, and volumes that are there."""
    jsonschema.validate(KUBERAY, CLUSTER)
    assert KUBERAY["spec"]["rayVersion"] == RAY
    for group in (KUBERAY["spec"]["headGroupSpec"], *KUBERAY["spec"]["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("wrong", ["replica", "minReplicas"])
def test_a_slip_in_a_name_or_a_field_that_is_missing_is_found(wrong: str) -> None:
    """The check itself looks."""
    broken = yaml.safe_load((PLACE / "kuberay.yaml").read_text())
    group = broken["spec"]["workerGroupSpecs"][0]
    group["replica"] = group.pop("minReplicas") if wrong == "minReplicas" else 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, CLUSTER)


def test_setup_installs_extras_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    command = next(line for line in LAUNCHER["setup_commands"] if "pip install" in line)
    assert set(command.partition("[")[2].partition("]")[0].split(",")) <= set(extras)
