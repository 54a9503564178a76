"""Ten projects of realistic shape through Docker Compose v2 and 1.29: the same on both engines."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compat import pair
from tests.compat.compose import programs, shop_images, story
from tests.compat.compose.story import Project
from tests.compat.pair import Pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(pair.missing()), reason=pair.missing() or "-"),
]
ALL = bool(os.environ.get("WHERRY_TEST_COMPOSE_ALL"))
"""1.29 with every project, too."""

PROJECTS = (
    Project(
        "shop",
        run=("--no-deps", "web", "nc", "database", "5432"),
        more=("exec -T web wget -qO- http://www/cgi-bin/rows", "port web 80", "pause web",
              "unpause web", "stop -t 1 cache", "start cache", "ps -q cache"),
    ),
    Project("profiles", ("--profile", "admin"), run=("shell",), more=("ps --services",)),
    Project("secrets", first="db", more=(
        "exec -T db cat /run/secrets/db_password /etc/other_password /run/password",
        "exec -T web cat /etc/web.conf /web_conf")),
    Project("scale", scale="web", more=("exec -T --index 2 worker hostname",)),
    Project("volumes", first="db", run=("db", "ls", "-ld", "/anonymous", "/var/lib/db"), more=(
        "exec -T web ls / /site /anonymous", "exec -T web cat /bound.html",
        "exec -T web touch /etc/new", "rm -fsv web", "up -d --force-recreate db")),
    Project("envfiles", run=("-e", "TITLE=run", "web", "sh", "-c", "echo $TITLE $QUOTED")),
    Project("policies", first="always", more=("kill unless", "exec -T always hostname")),
    Project("networks", more=(
        "exec -T db nc front 80", "exec -T db wget -qO- http://site/", "exec -T side wget -qO- http://127.0.0.1")),
    Project("jobs", more=("logs --no-color migrate", "rm -f migrate")),
    Project("layers", ("-f", "compose.yaml", "-f", "override.yaml"), more=("config -q",)),
)  # fmt: skip
IN_SHORT = ("shop", "scale", "volumes", "networks")
"""What 1.29 is asked by default."""

ALLOWED = {
    r".*\.(HostConfig\.)?Runtime|.*\.Driver|.*\.GraphDriver\..*": "ours have names of their own",
    r".*\.NetworkSettings\.Sandbox(Key|ID)": "the sandbox is the container",
    r".*\.IPPrefixLen": "the next pool is the engine's to choose",
    r".*\.Config\.MacAddress": "v2 gives it with the network where the engine has API 1.44",
}
"""Regular expressions over whole paths."""


@pytest.fixture(scope="module")
def shops(daemons: Pair) -> Iterator[Pair]:
    shop_images.make(daemons.dockerd, daemons.wherry, at=daemons.shared)
    for each in daemons.both:
        story.warm(each)
    yield daemons
    for each in daemons.both:
        each.must("rmi", "-f", *shop_images.IMAGES)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
@pytest.mark.parametrize("kind", programs.KINDS)
def test_a_project_lives_as_on_dockerd(shops: Pair, kind: str, project: Project) -> None:
    program = programs.find(kind)
    if not program:
        pytest.skip(f"Docker Compose {kind} is not here and cannot be fetched")
    if kind == "v1" and not ALL and project.name not in IN_SHORT:
        pytest.skip("only with WHERRY_TEST_COMPOSE_ALL=1")
    with ThreadPoolExecutor(2) as pool:
        lives = [
            pool.submit(story.run, program, daemon, project, old=kind == "v1")
            for daemon in shops.both
        ]
        theirs, ours = (life.result() for life in lives)
    different = list(differences(theirs, ours))
    assert different == [], "\n".join(different)


def differences(theirs: dict[str, str], ours: dict[str, str]) -> Iterator[str]:
    """Lines for all facts that are not the same."""
    allowed = re.compile("|".join(f"(?:{each})" for each in ALLOWED))
    for path in sorted({**theirs, **ours}):
        left, right = theirs.get(path), ours.get(path)
        if left != right and not allowed.fullmatch(path):
            yield f"{path}: {left!r} != {right!r}"
