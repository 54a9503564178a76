"""Completion, as bash asks for it."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.journeys.engine import BUSYBOX, PROGRAM, Engine, engine

pytestmark = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    with engine() as running:
        running.run("create", "--name", "first", "--network", "none", "busybox")
        running.run("create", "--name", "second", "--network", "none", "busybox")
        yield running


def offered(host: Engine, line: str) -> set[str]:
    words = line.split(" ")
    asked = {
        **host.environment,
        "_WHERRY_COMPLETE": "bash_complete",
        "COMP_WORDS": line.strip(),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(PROGRAM, env=asked, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return {word.partition(",")[2] for word in done.stdout.split()}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("wherry conta", {"container"}),
        ("wherry container st", {"start", "stats", "stop"}),
        ("wherry run --rm --network-al", {"--network-alias"}),
        ("wherry start ", {"first", "second"}),
        ("wherry rm -f first s", {"second"}),
        ("wherry exec -it f", {"first"}),
        ("wherry exec first ", set()),
        ("wherry run -d busy", {"busybox:latest"}),
        ("wherry rmi busy", {"busybox:latest"}),
        ("wherry context use d", {"default"}),
        ("wherry logs --tail 5 sec", {"second"}),
        ("wherry run --nope ", set()),
    ],
)
def test_what_is_offered(host: Engine, line: str, wanted: set[str]) -> None:
    assert wanted <= offered(host, line)
    assert wanted or not offered(host, line)


def test_without_an_engine_there_are_no_names(host: Engine) -> None:
    nowhere = host._replace(host="unix:///nowhere")
    assert offered(nowhere, "wherry start ") == set()
    assert offered(nowhere, "wherry conta") == {"container"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts(host: Engine, shell: str) -> None:
    script = host.out("completion", shell)
    assert "_WHERRY_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
    assert "want one of" in host.run("completion", "tcsh", code=1).stderr
