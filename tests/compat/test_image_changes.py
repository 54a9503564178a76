"""`--change`: dockerd's import and ours side by side."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from wherry.image import changes
from wherry.kit.errors import InvalidInput
from wherry.oci.config import Empty, ProcessConfig
from wherry.testing import docker_daemon
from wherry.testing.images import layer_tar

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not docker_daemon.available(), reason="needs root and dockerd"),
]


@pytest.fixture(scope="module")
def docker() -> Iterator[list[str]]:
    with docker_daemon.docker_daemon() as command:
        yield command


CASES = [
    ['CMD ["a", "b c"]'],
    ["CMD echo $A 'x y'"],
    ["CMD [not json"],
    ["CMD []"],
    ["CMD"],
    ["CMD x", 'ENTRYPOINT ["e"]'],
    ['ENTRYPOINT ["e"]', "CMD x"],
    ["ENTRYPOINT exec it"],
    ["ENTRYPOINT []"],
    ["ENV A=1 B=2 C='x y' D=\"$A z\" E=a\\ b"],
    ["ENV A=1", "ENV B=$A C=${A}x D=${Z:-def} E=${A:+yes} F=\\$A G= H='$A' I=\"\\$A\""],
    ["ENV A some words  here"],
    ["ENV A 'quoted words'"],
    ["ENV A=1", "ENV A=2"],
    ["ENV P=80 Q='443 53/udp'", "EXPOSE $P $Q"],
    ["ENV A=1 \\", "  B=2"],
    ['LABEL a=b "c d"="e f" g=\'h\''],
    ["LABEL a b c"],
    ["EXPOSE 80 53/udp 8000-8002/TCP"],
    ["EXPOSE 127.0.0.1:80:81"],
    ["ONBUILD RUN make  it"],
    ["ONBUILD ENV x=y", "onbuild cmd z"],
    ["USER www:www"],
    ["ENV U=me", "USER $U"],
    ["USER two words"],
    ["VOLUME /a /b"],
    ['VOLUME ["/a b", "/c"]'],
    ["WORKDIR /x/../y"],
    ["WORKDIR sub", "WORKDIR deeper/"],
    ["HEALTHCHECK NONE"],
    ["HEALTHCHECK --interval=5s --timeout=1m30s --retries=3 CMD curl -f x || exit 1"],
    ['HEALTHCHECK CMD ["x", "y"]'],
    ["# comment", "", "CMD x"],
]
MISTAKES = [
    ["RUN x"],
    ["nonsense"],
    ["ENV"],
    ["ENV A"],
    ["ENV A=1 B"],
    ["ENV =x"],
    ["LABEL"],
    ["USER"],
    ["WORKDIR"],
    ["EXPOSE"],
    ["EXPOSE 70000"],
    ["EXPOSE 9-8"],
    ["EXPOSE x"],
    ["VOLUME"],
    ['VOLUME [""]'],
    ["CMD [1]"],
    ["ONBUILD"],
    ["ONBUILD ONBUILD RUN x"],
    ["ONBUILD FROM x"],
    ["HEALTHCHECK"],
    ["HEALTHCHECK WHAT x"],
    ["HEALTHCHECK CMD"],
    ["HEALTHCHECK NONE x"],
    ["HEALTHCHECK --retries=0 CMD x"],
    ["HEALTHCHECK --what=0 CMD x"],
    ["HEALTHCHECK --interval=1us CMD x"],
    ["USER --x=y z"],
    ["USER 'open"],
    ["USER ${"],
    ["USER ${A?x}"],
    ["USER ${A:?x y}"],
]


def imported(docker: list[str], lines: list[str]) -> subprocess.CompletedProcess[bytes]:
    options = [word for line in lines for word in ("--change", line)]
    tar = layer_tar({"etc/x": b"x"})
    return subprocess.run(
        [*docker, "import", *options, "-"], input=tar, capture_output=True, timeout=60, check=False
    )


def theirs(docker: list[str], lines: list[str]) -> dict[str, object]:
    done = imported(docker, lines)
    assert done.returncode == 0, done.stderr.decode()
    image = done.stdout.decode().strip()
    text = subprocess.run([*docker, "inspect", image], capture_output=True, check=True).stdout
    config: dict[str, object] = json.loads(text)[0]["Config"]
    return config


def plain(value: Empty | None) -> list[str]:
    return sorted(value or ())


@pytest.mark.parametrize("lines", CASES, ids=" ; ".join)
def test_the_same_configuration(docker: list[str], lines: list[str]) -> None:
    their = theirs(docker, lines)
    our = changes.apply(ProcessConfig(), lines)
    assert our.cmd == their["Cmd"]
    assert our.entrypoint == their["Entrypoint"]
    assert (our.env or []) == (their["Env"] or [])
    assert (our.labels or {}) == (their["Labels"] or {})
    assert plain(our.exposed_ports) == sorted(their.get("ExposedPorts") or ())
    assert plain(our.volumes) == sorted(their["Volumes"] or ())
    assert (our.on_build or []) == (their["OnBuild"] or [])
    assert (our.user, our.working_dir) == (their["User"], their["WorkingDir"])
    health = their.get("Healthcheck")
    assert (health is None) == (our.healthcheck is None)
    if our.healthcheck is not None and isinstance(health, dict):
        assert our.healthcheck.test == health["Test"]
        assert our.healthcheck.interval == health.get("Interval", 0)
        assert our.healthcheck.timeout == health.get("Timeout", 0)
        assert our.healthcheck.retries == health.get("Retries", 0)


@pytest.mark.parametrize("lines", MISTAKES, ids=" ; ".join)
def test_the_same_mistakes_in_the_same_words(docker: list[str], lines: list[str]) -> None:
    done = imported(docker, lines)
    assert done.returncode != 0, "dockerd takes it"
    with pytest.raises(InvalidInput) as caught:
        changes.apply(ProcessConfig(), lines)
    assert done.stderr.decode().strip() == f"Error response from daemon: {caught.value}"
