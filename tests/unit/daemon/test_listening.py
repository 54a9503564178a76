"""`-H`, what it needs, and sockets that systemd passes in."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.api.server import TcpListener, UnixListener
from wherry.cli.tls.init import command
from wherry.daemon import config
from wherry.daemon.activation import Passed, chosen
from wherry.daemon.listening import Listening
from wherry.daemon.tls import TlsFlags
from wherry.kit.errors import InvalidInput

OPEN = Listening(TlsFlags(), insecure=True)


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("tcp://127.0.0.1:1234", "127.0.0.1", 1234),
        ("tcp://0.0.0.0", "0.0.0.0", 2375),
        ("tcp://:99", "127.0.0.1", 99),
        ("tcp://[::1]:5", "::1", 5),
        ("tcp://[::1]", "::1", 2375),
    ],
)
def test_tcp(host: str, address: str, port: int) -> None:
    assert OPEN.listeners([host]) == [TcpListener(address, port)]


@pytest.mark.parametrize("host", ["tcp://a:b", "tcp://a:99999", "ftp://x", "unix://", "fd://"])
def test_what_makes_no_sense(host: str) -> None:
    with pytest.raises(InvalidInput, match=f"-H {host}"):
        OPEN.listeners([host])


def test_several_hosts_and_the_group() -> None:
    found = Listening(TlsFlags(), group="wheel").listeners(["unix:///a", "unix:///b"])
    assert found == [UnixListener("/a", "wheel"), UnixListener("/b", "wheel")]


@pytest.mark.parametrize("flags", [TlsFlags(), TlsFlags(on=True)])
def test_a_port_that_lets_everyone_in_has_to_be_meant(flags: TlsFlags) -> None:
    with pytest.raises(InvalidInput, match="--insecure-tcp"):
        Listening(flags).listeners(["tcp://127.0.0.1:1"])


def test_flags_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = command.callback
    assert callback is not None
    from wherry.cli.session import Session
    from wherry.client.endpoint import Choice

    callback(Session(Choice()), ["h"], dir=str(tmp_path / "t"), days=2, client="c")
    (tmp_path / "t/cert.pem").symlink_to("server-cert.pem")
    (tmp_path / "t/key.pem").symlink_to("server-key.pem")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "t"))
    words = ["-H", "tcp://127.0.0.1", "-H", f"unix://{tmp_path}/s", "-G", "staff"]
    with pytest.raises(InvalidInput, match="no TLS"):
        config.read(words)
    tcp, unix = config.read([*words, "--tlsverify"]).listeners
    assert isinstance(tcp, TcpListener)
    assert tcp.port == 2376
    assert tcp.tls is not None
    assert unix == UnixListener(f"{tmp_path}/s", "staff")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert config.read(words).listeners[0] != TcpListener("127.0.0.1", 2375)


def test_which_of_the_passed_sockets() -> None:
    with socket.socket() as one, socket.socket() as two:
        passed = [Passed(3, "api", one), Passed(4, "tls", two)]
        assert chosen(passed, "") == chosen(passed, "*") == passed
        assert chosen(passed, "4") == chosen(passed, "tls") == passed[1:]
        assert chosen(passed, "nope") == []


ADOPT = """
import os, sys
sys.path.insert(0, %r)
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="api")
from wherry.daemon import config
(one,) = config.read(["-H", "fd://api"]).listeners
print(one.sock.getsockname(), os.get_inheritable(3), "LISTEN_FDS" in os.environ)
"""


def test_a_socket_of_systemd_is_adopted(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        os.set_inheritable(sock.fileno(), True)
        done = subprocess.run(
            [sys.executable, "-c", ADOPT % "src", str(sock.fileno())],
            pass_fds=(sock.fileno(),), capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.stdout.split() == [f"{tmp_path}/s", "False", "False"], done.stderr
    assert stat.S_ISSOCK(os.stat(tmp_path / "s").st_mode)
