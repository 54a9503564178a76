"""What docker-py's and aiodocker's suites found, asked of both."""

import io
import socket
import tarfile
from collections.abc import Iterator

import pytest

from tests.compat.asking import ask
from tests.compat.pair import Daemon, Pair


@pytest.fixture(autouse=True)
def clean(daemons: Pair) -> Iterator[None]:
    yield
    for daemon in daemons.both:
        names = daemon.must("ps", "-aq").split()
        if names:
            daemon.must("rm", "-fv", *names)


def raw(daemon: Daemon, path: str, body: str = "") -> bytes:
    """All bytes of a hijacked answer behind its head."""
    head = (
        f"POST /v1.41{path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(daemon.socket)
        sock.sendall(head.encode())
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("exec_tty", [False, True])
@pytest.mark.parametrize("start_tty", [False, True])
def test_the_start_says_whether_an_exec_is_framed(
    daemons: Pair, exec_tty: bool, start_tty: bool
) -> None:
    asked = {"Cmd": ["echo", "hi"], "AttachStdout": True, "Tty": exec_tty}
    said = []
    for daemon in daemons.both:
        daemon.must("run", "-d", "--name", "cc", "plain", "sleep", "1000")
        made = ask(daemon, "POST", "/containers/cc/exec", asked).body["Id"]
        tty = str(start_tty).lower()
        said.append(raw(daemon, f"/exec/{made}/start", f'{{"Tty":{tty}}}'))
    assert said[0] == said[1]
    assert said[1].endswith(b"hi\r\n" if exec_tty else b"hi\n")


def test_the_log_of_an_ended_container_by_attach(daemons: Pair) -> None:
    said = []
    for daemon in daemons.both:
        daemon.must("run", "--name", "cc", "plain", "sh", "-c", "echo out; sleep 0.2; echo err >&2")
        said.append(raw(daemon, "/containers/cc/attach?logs=1&stdout=1&stderr=1"))
        said.append(raw(daemon, "/containers/cc/attach?logs=1&stderr=1"))
    assert said[:2] == said[2:]
    assert said[0].endswith(b"err\n")


def test_files_of_a_stopped_container_are_in_its_volumes(daemons: Pair) -> None:
    seen = []
    for daemon in daemons.both:
        folder = daemons.shared / daemon.name
        folder.mkdir(exist_ok=True)
        daemon.must(
            "create", "--name", "cc", "-v", "/vol1", "-v", f"{folder}:/bound:ro", "-v",
            "kept:/deep/er", "plain", "sh", "-c", "cat /vol1/f /deep/er/f",
        )  # fmt: skip
        daemon.docker("cp", "-", "cc:/vol1", text=archive("f", "one"))
        daemon.docker("cp", "-", "cc:/deep/er", text=archive("f", "two"))
        refused = daemon.docker("cp", "-", "cc:/bound", text=archive("f", "three"))
        got = daemon.must("cp", "cc:/deep", "-")
        with tarfile.open(fileobj=io.BytesIO(got.encode())) as tar:
            names = sorted(tar.getnames())
        seen.append((names, daemon.must("start", "-a", "cc"), refused.returncode))
        assert not list(folder.iterdir())
        daemon.must("rm", "-v", "cc")
        daemon.must("volume", "rm", "kept")
    assert seen[0] == seen[1]
    assert seen[1] == (["deep", "deep/er", "deep/er/f"], "onetwo", 1)


def archive(name: str, text: str) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue().decode()


def test_a_container_that_will_be_restarted_is_not_stopped(daemons: Pair) -> None:
    for daemon in daemons.both:
        daemon.must("run", "-d", "--name", "cc", "--restart", "always", "plain", "sleep", "0.3")
        assert ask(daemon, "POST", "/containers/cc/wait").body["StatusCode"] == 0
        refused = ask(daemon, "DELETE", "/containers/cc")
        assert refused.status == 409, daemon.name
        assert "Stop the container before" in refused.body["message"]


def test_a_link_is_removed(daemons: Pair) -> None:
    for daemon in daemons.both:
        daemon.must("run", "-d", "--name", "aa", "plain", "sleep", "1000")
        daemon.must("run", "-d", "--name", "bb", "--link", "aa:other", "plain", "sleep", "1000")
        assert ask(daemon, "DELETE", "/containers/bb/other?link=1").status == 204
        assert ask(daemon, "DELETE", "/containers/bb?link=1").status >= 400
        shown = ask(daemon, "GET", "/containers/bb/json").body["HostConfig"]["Links"]
        assert not shown, daemon.name


def test_a_mac_and_aliases_of_a_container_that_was_never_started(daemons: Pair) -> None:
    shown = []
    for daemon in daemons.both:
        daemon.must("network", "create", "nn")
        daemon.must("create", "--name", "cc", "--network", "nn", "--network-alias", "x", "plain")
        daemon.must("create", "--name", "dd", "plain")
        body = {"Container": "dd", "EndpointConfig": {"MacAddress": "02:42:ac:11:00:02"}}
        ask(daemon, "POST", "/networks/nn/connect", body)
        places = [ask(daemon, "GET", f"/containers/{name}/json").body for name in ("cc", "dd")]
        ends = [place["NetworkSettings"]["Networks"]["nn"] for place in places]
        shown.append((ends[0]["Aliases"], ends[1]["MacAddress"]))
        daemon.must("rm", "cc", "dd")
        daemon.must("network", "rm", "nn")
    assert shown[0] == shown[1] == (["x"], "02:42:ac:11:00:02")


def test_a_platform_that_nobody_knows(daemons: Pair) -> None:
    for daemon in daemons.both:
        answer = ask(daemon, "POST", "/images/create?fromImage=busybox&tag=1&platform=foo")
        assert answer.status == 400
        assert "unknown operating system or architecture" in str(answer.body)


def test_no_build_cache_to_prune(daemons: Pair) -> None:
    answers = [ask(daemon, "POST", "/build/prune") for daemon in daemons.both]
    assert answers[0].body == answers[1].body


def test_the_stats_of_a_container_end_with_it(daemons: Pair) -> None:
    for daemon in daemons.both:
        daemon.must("run", "--name", "cc", "plain", "true")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(daemon.socket)
            sock.sendall(b"GET /v1.41/containers/cc/stats?stream=1 HTTP/1.0\r\n\r\n")
            assert sock.recv(4096)
            assert ask(daemon, "DELETE", "/containers/cc").status == 204
            while sock.recv(4096):
                pass
