"""A client's mistake gets a clear error and its status, never a 500, and nothing is left behind."""

import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.compat import hostile, pair
from tests.compat.pair import Daemon

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(pair.missing()), reason=pair.missing() or "-"),
]
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with pair.alone() as ours:
        ours.must("run", "--rm", "plain", "true")  # what every image needs is made once
        yield ours


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """The same before and after each test, on disk and in the kernel."""
    if "daemon" not in request.fixturenames:
        yield
        return
    ours: Daemon = request.getfixturevalue("daemon")
    before, log = leftovers(ours), (ours.folder / "log").read_text(errors="replace")
    yield
    until = time.monotonic() + 10
    while leftovers(ours) != before and time.monotonic() < until:
        time.sleep(0.1)
    assert leftovers(ours) == before
    assert ours.docker("version").returncode == 0
    assert "Traceback" not in (ours.folder / "log").read_text(errors="replace")[len(log) :]


def leftovers(daemon: Daemon) -> dict[str, list[str]]:
    """Files, mounts and processes, and cgroups of this daemon's containers."""
    root = Path(daemon.root)
    folders = ("containers", "volumes", "content/ingest", "content/blobs/sha256")
    found = {name: _names(root / name) for name in folders}
    found["snapshots"] = _names(root / "snapshots/overlay/s")
    found["exec"] = _names(daemon.folder / "exec/c")
    found["mounts"] = _mounts(str(daemon.folder))
    found["cgroups"] = [id for id in _made(daemon) if os.path.isdir(_cgroup(id))]
    return found


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def _mounts(folder: str) -> list[str]:
    """Mounts of the folder in any process's namespace."""
    found = set()
    for entry in os.listdir("/proc"):
        try:
            lines = Path(f"/proc/{int(entry)}/mountinfo").read_text().splitlines()
        except (ValueError, OSError):
            continue
        found.update(" ".join(line.split()[3:5]) for line in lines if folder in line)
    return sorted(found)


def _made(daemon: Daemon) -> list[str]:
    told = daemon.must(
        "events", "--since", "1", "--until", str(int(time.time())),
        "--filter", "event=create", "--filter", "type=container", "--format", "{{.ID}}",
    )  # fmt: skip
    return told.split()


def _cgroup(id: str) -> str:
    return f"/sys/fs/cgroup/memory/wherry/{id}"


def ask(
    daemon: Daemon, method: str, target: str, body: Any = None, **headers: str
) -> tuple[int, str]:
    """Status and text of an answer."""
    connection = http.client.HTTPConnection("docker", timeout=120)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(daemon.socket)
        connection.sock = sock
        given = {"Content-Type": "application/json", **headers}
        connection.request(method, target, body, given)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")


BODIES = {
    "empty": b"",
    "half": b'{"Image":"plain"',
    "array": b"[]",
    "text": b'"plain"',
    "number": b"7",
    "binary": bytes(range(256)),
    "deep": b'{"Labels":' + b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "wrong type": b'{"Image":5}',
    "wrong type within": b'{"Image":"plain","HostConfig":{"Memory":"much"}}',
    "too large a number": b'{"Image":"plain","HostConfig":{"Memory":1e400}}',
    "beyond int64": b'{"Image":"plain","HostConfig":{"Memory":99999999999999999999999}}',
    "fraction": b'{"Image":"plain","HostConfig":{"Memory":7.5}}',
    "trailing": b'{"Image":"plain"} and more',
    "nan": b'{"Image":"plain","HostConfig":{"Memory":NaN}}',
    "absurd memory": b'{"Image":"plain","HostConfig":{"Memory":1}}',
    "absurd cpus": b'{"Image":"plain","HostConfig":{"NanoCpus":9000000000000000000}}',
    "absurd shm": b'{"Image":"plain","HostConfig":{"ShmSize":-9000000000000000000}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_wrong(daemon: Daemon, body: bytes) -> None:
    status, text = ask(daemon, "POST", "/containers/create", body)
    assert (status, bool(json.loads(text)["message"])) == (400, True), text


def test_unknown_fields_are_ignored(daemon: Daemon) -> None:
    body = b'{"Image":"plain","Cmd":["true"],"Nope":1,"HostConfig":{"Nor":{"this":[]}}}'
    status, text = ask(daemon, "POST", "/containers/create", body)
    assert status == 201
    daemon.must("rm", json.loads(text)["Id"])


def test_a_body_of_another_kind(daemon: Daemon) -> None:
    headers = {"Content-Type": "text/plain"}
    status, _ = ask(daemon, "POST", "/containers/create", b'{"Image":"plain"}', **headers)
    assert status in (400, 415)


NAMES = ("a/b", "..", "../x", "a%2Fb", "", "x", "-a", "a b", "a\u00e9", "%00a", "a%0Ab")


@pytest.mark.parametrize("name", NAMES)
def test_names_with_more_than_letters(daemon: Daemon, name: str) -> None:
    target = f"/containers/create?name={quote(name, safe='%')}"
    status, text = ask(daemon, "POST", target, b'{"Image":"plain","Cmd":["true"]}')
    if name == "":  # no name at all: a random one
        daemon.must("rm", json.loads(text)["Id"])
    else:
        assert (status, "Invalid container name" in text) == (400, True), text


@pytest.mark.parametrize(
    "path",
    ["/containers/a%2Fb/json", "/containers/..%2F..%2Fetc/json", "/images/..%2Fx/json",
     "/volumes/..%2Fx", "/networks/a%2Fb", "/exec/..%2Fx/json", "/containers/%00/json"],
)  # fmt: skip
def test_paths_lead_nowhere_else(daemon: Daemon, path: str) -> None:
    assert ask(daemon, "GET", path)[0] in (400, 404)


@pytest.mark.parametrize("name", ["../up", "a/b", ".", "x" * 300])
def test_volumes_stay_in_their_folder(daemon: Daemon, name: str) -> None:
    body = json.dumps({"Name": name}).encode()
    assert ask(daemon, "POST", "/volumes/create", body)[0] == 400


@pytest.mark.parametrize(
    ("command", "code"), [("/nosuch", 127), ("nosuch", 127), ("/notexec", 126), ("/data", 126)]
)
def test_a_program_that_cannot_be_run(daemon: Daemon, command: str, code: int) -> None:
    ran = daemon.docker("run", "--rm", "plain", command)
    assert (ran.returncode, command in ran.stderr) == (code, True), ran.stderr
    daemon.must("run", "-d", "--name", "host", "plain", "sleep", "100")
    ran = daemon.docker("exec", "host", command)
    daemon.must("rm", "-f", "host")
    assert ran.returncode == code


@pytest.mark.parametrize("archive", hostile.LOADED.values(), ids=hostile.LOADED)
def test_an_archive_that_lies(daemon: Daemon, archive: bytes) -> None:
    before = daemon.must("images", "-aq")
    status, text = ask(daemon, "POST", "/images/load?quiet=1", archive)
    told = status if status != 200 else 400 if '"error"' in text else 200
    assert told == 400, (status, text)
    assert daemon.must("images", "-aq") == before


def test_a_root_file_system_that_tries_to_leave(daemon: Daemon) -> None:
    """Names are read within the image; devices and fifos are what they are."""
    headers = {"Content-Type": "application/x-tar"}
    target = "/images/create?fromSrc=-&repo=odd&tag=1"
    status, text = ask(daemon, "POST", target, hostile.ODD, **headers)
    for name in ("escaped-by-dots", "escaped-by-slash", "escaped-by-link"):
        assert not os.path.exists(f"/{name}")
        assert not list(Path(daemon.root).glob(f"*/{name}"))
    if status == 200 and '"error"' not in text:
        daemon.must("rmi", "odd:1")
    else:
        assert status in (200, 400)


def test_a_fifo_in_the_place_of_a_file_does_not_hang_us(daemon: Daemon) -> None:
    headers = {"Content-Type": "application/x-tar"}
    members = [
        hostile.Member("etc", kind=b"5", mode=0o755),
        hostile.Member("etc/passwd", kind=b"6"),
        hostile.Member("etc/group", kind=b"3", device=(1, 5)),
        hostile.Member("bin", kind=b"5", mode=0o755),
        hostile.Member("bin/sh", Path("/bin/busybox").read_bytes(), mode=0o755),
    ]
    target = "/images/create?fromSrc=-&repo=odd&tag=2"
    assert ask(daemon, "POST", target, hostile.tar(*members), **headers)[0] == 200
    ran = daemon.docker("run", "--rm", "-u", "name", "odd:2", "/bin/sh", "-c", "exit 0")
    assert ran.returncode == 125 and "unable to find user name" in ran.stderr
    assert daemon.docker("run", "--rm", "odd:2", "/bin/sh", "-c", "exit 7").returncode == 7
    daemon.must("rmi", "odd:2")


def test_a_body_of_256_megabytes(daemon: Daemon) -> None:
    """Refused long before it is in memory."""
    status, text = _send_large(daemon, 256 * MEBIBYTE)
    assert status in (400, 413), text
    assert _peak(daemon.pid) < 200 * MEBIBYTE


def _send_large(daemon: Daemon, size: int) -> tuple[int, str]:
    head = b'{"Image":"plain","Cmd":["true"],"Labels":{"a":"'
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(daemon.socket)
        lines = f"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: {size}\r\n"
        sock.sendall(lines.encode() + b"Content-Type: application/json\r\n\r\n" + head)
        left, piece = size - len(head), b"x" * MEBIBYTE
        try:
            while left > 0:
                left -= sock.send(piece[:left])
        except OSError:  # it has answered and closed
            pass
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        return answer.status, answer.read().decode()


def _peak(pid: int) -> int:
    """The most memory a process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_a_log_of_300_megabytes_without_a_newline(daemon: Daemon) -> None:
    """The monitor keeps 16 KiB of it, the disk what the rotation allows."""
    script = "head -c 300000000 /dev/zero | tr '\\0' x; echo done >/vol/done; sleep 100"
    daemon.must("run", "-d", "--name", "loud", "-v", "/vol", "plain", "sh", "-c", script)
    pid = int(daemon.must("inspect", "-f", "{{.State.Pid}}", "loud"))
    monitor = int(Path(f"/proc/{pid}/status").read_text().partition("PPid:")[2].split()[0])
    until = time.monotonic() + 120
    while daemon.docker("exec", "loud", "ls", "/vol/done").returncode and time.monotonic() < until:
        time.sleep(0.3)
    assert _peak(monitor) < 80 * MEBIBYTE
    folder = Path(daemon.must("inspect", "-f", "{{.LogPath}}", "loud").strip()).parent
    assert sum(file.stat().st_size for file in folder.iterdir()) < 32 * MEBIBYTE
    tail = subprocess.run(
        ["docker", "-H", f"unix://{daemon.socket}", "logs", "--tail", "3", "loud"],
        capture_output=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert set(tail) <= {ord("x"), ord("\n")} and len(tail) >= 16384
    daemon.must("rm", "-fv", "loud")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    image, target = tmp_path / "disk", tmp_path / "small"
    target.mkdir()
    with open(image, "wb") as file:
        file.truncate(48 * MEBIBYTE)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", image, target], check=False).returncode:
        pytest.skip("no loop devices here")
    yield target
    subprocess.run(["umount", target], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    """Too large an image is refused and leaves its room; a container that fills it can go."""
    with pair.alone(f"{small_disk}/root") as daemon:
        free = _free(small_disk)
        big = hostile.tar(hostile.Member("big", os.urandom(64 * MEBIBYTE)))
        archive = hostile.docker_archive(hostile.Member("l.tar", big), hostile.digest(big))
        status, text = ask(daemon, "POST", "/images/load?quiet=1", archive)
        assert status != 500 and "no space left" in text.lower(), (status, text)
        assert "hostile" not in daemon.must("images")
        _soon(lambda: _free(small_disk) > free - MEBIBYTE)
        filling = ("sh", "-c", "cat /dev/zero >/zeros; echo full")
        assert "full" in daemon.must("run", "--name", "filler", "plain", *filling)
        assert _free(small_disk) < MEBIBYTE
        refused = daemon.docker("create", "plain", "true")
        assert refused.returncode == 0 or "no space left" in refused.stderr.lower()
        daemon.must("rm", "-f", "filler")
        _soon(lambda: _free(small_disk) > free - 2 * MEBIBYTE)
        assert daemon.docker("run", "--rm", "plain", "sh", "-c", "exit 3").returncode == 3


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _soon(condition: Any) -> None:
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)
    assert condition()


def test_many_clients_that_never_finish(daemon: Daemon) -> None:
    """Half requests hold nobody else up."""
    socks = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for sock in socks:
        sock.connect(daemon.socket)
        sock.sendall(b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n{")
    started = time.monotonic()
    assert daemon.docker("ps").returncode == 0
    assert time.monotonic() - started < 5
    closing = [threading.Thread(target=sock.close) for sock in socks]
    for thread in closing:
        thread.start()
        thread.join()
