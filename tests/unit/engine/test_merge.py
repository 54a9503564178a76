"""The client's request over the image's configuration."""

import pytest

from wherry.dockerapi.containers import ContainerCreateRequest, Healthcheck
from wherry.engine.containers.merge import merged
from wherry.kit.errors import InvalidInput
from wherry.oci.config import HealthConfig, ProcessConfig

IMAGE = ProcessConfig(
    user="app",
    env=["PATH=/bin", "A=1"],
    entrypoint=["/entry"],
    cmd=["serve"],
    working_dir="/srv",
    labels={"a": "1", "b": "2"},
    exposed_ports={"80/tcp": {}},
    healthcheck=HealthConfig(test=["CMD", "check"], interval=5),
)


def test_the_image_fills_what_is_not_said() -> None:
    result = merged(ContainerCreateRequest(), IMAGE)
    assert (result.entrypoint, result.cmd) == (["/entry"], ["serve"])
    assert (result.user, result.working_dir) == ("app", "/srv")
    assert result.healthcheck == Healthcheck(test=["CMD", "check"], interval=5)


def test_a_command_keeps_the_entrypoint() -> None:
    result = merged(ContainerCreateRequest(cmd=["other"]), IMAGE)
    assert (result.entrypoint, result.cmd) == (["/entry"], ["other"])


def test_an_entrypoint_discards_the_images_command() -> None:
    result = merged(ContainerCreateRequest(entrypoint=["/mine"]), IMAGE)
    assert (result.entrypoint, result.cmd) == (["/mine"], None)


def test_environment_and_labels_are_joined() -> None:
    result = merged(ContainerCreateRequest(env=["A=2", "B=3"], labels={"b": "x"}), IMAGE)
    assert sorted(result.env or []) == ["A=2", "B=3", "PATH=/bin"]
    assert result.labels == {"a": "1", "b": "x"}


def test_nothing_to_run_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="No command specified"):
        merged(ContainerCreateRequest(), ProcessConfig())
