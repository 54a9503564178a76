"""Names in networks while the daemon dies and comes back."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.journeys.engine import Engine, engine, kill_daemon, start_daemon
from wherry.testing.dns import Answer, lookup

NAMES = [f"box{number}" for number in range(4)]


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    if os.geteuid() != 0 or not shutil.which("docker"):
        pytest.skip("needs root, who may enter the container's namespace, and docker")
    with engine() as here:
        yield here


class Asking(threading.Thread):
    """Asks for all names over and over, from inside a container."""

    def __init__(self, where: int) -> None:
        super().__init__()
        self._where = where
        self._stopping = threading.Event()
        self.rounds = 0
        self.failed: list[tuple[str, Answer | str]] = []

    def run(self) -> None:
        while not self._stopping.is_set():
            for name in NAMES:
                answer = lookup(self._where, name)
                if not isinstance(answer, Answer) or len(answer.data) != 1:
                    self.failed.append((name, answer))
            self.rounds += 1

    def stop(self) -> None:
        self._stopping.set()
        self.join()


def test_no_question_fails_while_the_daemon_is_replaced(host: Engine) -> None:
    docker = host._replace(client=("docker",))
    docker.run("network", "create", "front")
    for name in NAMES:
        words = ("run", "-d", "--name", name, "--network", "front", "busybox", "sleep", "1000")
        docker.run(*words)
    first, second = (docker.out("inspect", "-f", "{{.State.Pid}}", name) for name in NAMES[:2])
    where = os.open(f"/proc/{first}/ns/net", os.O_RDONLY)
    asking = Asking(where)
    asking.start()
    try:
        for _ in range(3):
            kill_daemon(host)
            start_daemon(host)
    finally:
        asking.stop()
    assert asking.rounds and not asking.failed
    kill_daemon(host)
    os.kill(int(second), signal.SIGKILL)
    start_daemon(host)
    gone = lookup(where, NAMES[1])
    assert isinstance(gone, Answer) and not gone.data
    assert isinstance(found := lookup(where, NAMES[2]), Answer) and len(found.data) == 1
    os.close(where)
    docker.run("rm", "-f", *NAMES)
    docker.run("network", "rm", "front")
