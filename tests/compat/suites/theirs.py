"""The suites: where each comes from, what it needs, and what of it is left out and why."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parents[3]
CACHE = HERE / ".venv/suites"
"""Readable for the plain user, and no part of the repository."""
SWARM = "swarm mode is not planned"
BUILD = "there is no builder yet"


class Suite(NamedTuple):
    """A suite that is ready to be run."""

    name: str
    version: str
    folder: Path
    """Where pytest is started."""
    python: Path
    tests: str
    ignored: dict[str, str]
    """Files that no engine is asked to pass, and why."""
    reasons: dict[str, str]
    """Patterns of `file::Class.test` that dockerd passes and we do not, and why."""
    plain_reasons: dict[str, str]
    """The same for the plain user alone."""
    plain: tuple[str, ...]
    """The files for the plain user."""
    environment: dict[str, str]
    options: tuple[str, ...] = ()
    """For pytest: what newer releases of it and of its plugins warn about, where all warnings
    are errors."""


def aiodocker() -> Suite:
    """The newest release's own tests, from its source archive on the package index.

    Kept in CACHE; removed there, it is had anew.
    """
    at = CACHE / "aiodocker"
    python = _environment(
        at, "aiodocker", "testcontainers", "pytest-asyncio", "pytest-cov", "async-timeout",
        "packaging", "asyncssh", "paramiko",
    )  # fmt: skip
    folder = _source(at / "source", python)
    return Suite(
        "aiodocker", folder.name, folder, python, "tests",
        {f"test_{name}.py": SWARM for name in "swarm services nodes secrets configs".split()},
        AIODOCKER_REASONS, AIODOCKER_PLAIN,
        ("test_containers.py", "test_execs.py", "test_images.py", "test_integration.py",
         "test_events.py", "test_networks.py", "test_volumes.py", "test_system.py"),
        {"TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_HOST_OVERRIDE": "localhost",
         "TESTCONTAINERS_CONNECTION_MODE": "docker_host"},
        ("-o", "asyncio_default_fixture_loop_scope=fixture-scope"),
    )  # fmt: skip


def _source(at: Path, python: Path) -> Path:
    """The unpacked source archive, without the package itself: the installed one is tested."""
    if not list(at.glob("*/tests")):
        words = ["download", "-q", "--no-binary", "aiodocker", "--no-deps", "aiodocker"]
        _run(python, "-m", "pip", *words, "-d", str(at))
        (archive,) = at.glob("*.tar.gz")
        shutil.unpack_archive(archive, at)
        shutil.rmtree(at / archive.name.removesuffix(".tar.gz") / "aiodocker")
    (tests,) = at.glob("*/tests")
    return tests.parent


def docker_py(checkout: Path) -> Suite:
    """The integration tests of a checkout of docker-py's public repository."""
    python = _environment(
        CACHE / "docker-py", "requests", "urllib3", "paramiko", "websocket-client"
    )
    left = "swarm service plugin secret config".split()
    ignored = {f"api_{name}_test.py": SWARM for name in left}
    ignored |= {f"models_{name}_test.py": SWARM for name in ("nodes", "services", "swarm")}
    ignored["credentials"] = "talks to no engine, and needs a program of the desktop"
    ignored["api_plugin_test.py"] = "plugins are not planned"
    return Suite(
        "docker-py", _version(checkout), checkout, python, "tests/integration", ignored,
        DOCKER_PY_REASONS, DOCKER_PY_PLAIN,
        ("api_container_test.py", "api_exec_test.py", "api_image_test.py", "api_network_test.py",
         "api_volume_test.py", "models_containers_test.py", "models_networks_test.py"),
        {"DOCKER_TEST_API_VERSION": "1.41"},
    )  # fmt: skip


def _version(checkout: Path) -> str:
    """The commit, where it is a work tree of git."""
    words = ["git", "-C", str(checkout), "describe", "--tags", "--always"]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return f"docker-py {said}".strip()


def _environment(at: Path, *packages: str) -> Path:
    """The python of a virtual environment with these and pytest in it."""
    python, stamp = at / "venv/bin/python", at / "installed"
    if not stamp.exists():
        _run(sys.executable, "-m", "venv", str(at / "venv"))
        _run(python, "-m", "pip", "install", "-q", "pytest", "pytest-timeout", *packages)
        stamp.touch()
    return python


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True)


FREEZER = "no pause without a delegated cgroup"
LIMITS = "no limits without a delegated cgroup"
ONE_ID = "one id: supplementary groups are noted, not set (docs/adr/0006-one-id.md)"
AIODOCKER_REASONS = {
    "test_images.py::test_build_*": BUILD,
    "test_images.py::test_prune_images": BUILD,
}
AIODOCKER_PLAIN = {"test_containers.py::test_pause_unpause": FREEZER}
DOCKER_PY_REASONS = {
    "api_build_test.py::*": BUILD,
    "models_images_test.py::*.test_build*": BUILD,
    "api_network_test.py::TestNetworks.test_create_inspect_network_with_scope": SWARM,
    "api_network_test.py::TestNetworks.test_create_network_attachable": SWARM,
    "api_network_test.py::TestNetworks.test_create_network_ingress": SWARM,
}
DOCKER_PY_PLAIN = {
    "api_container_test.py::CreateContainerTest.test_group_id_*": ONE_ID,
    "api_container_test.py::PauseTest.*": FREEZER,
    "models_containers_test.py::ContainerTest.test_pause": FREEZER,
    "api_container_test.py::ContainerUpdateTest.test_update_container": LIMITS,
    "api_container_test.py::ContainerCPUTest.*": LIMITS,
    "models_containers_test.py::ContainerTest.test_update": LIMITS,
}
