"""Our command line over TCP with TLS and client certificates."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import oracle
from tests.compat.terminal import use_a_shell

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not oracle.is_here(), reason="needs root and dockerd 20.10"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]

WHERRY = [sys.executable, "-c", "import sys; from wherry.cli.main import main; sys.exit(main())"]


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def certify(folder: Path, name: str, extra: str) -> None:
    """A key and a certificate signed by the folder's authority."""
    (folder / f"{name}.ext").write_text(extra)
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}-key.pem",
        "-out", f"{name}.csr", "-subj", f"/CN={name}",
    )  # fmt: skip
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
        "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext",
    )  # fmt: skip


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as DOCKER_CERT_PATH wants it, with the server's files beside."""
    folder = tmp_path_factory.mktemp("tls")
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca-key.pem",
        "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority",
    )  # fmt: skip
    certify(folder, "server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    certify(folder, "client", "extendedKeyUsage=clientAuth\n")
    (folder / "cert.pem").symlink_to("client.pem")
    (folder / "key.pem").symlink_to("client-key.pem")
    return folder


@pytest.fixture(scope="module")
def environment(certificates: Path) -> Iterator[dict[str, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    flags = (
        "-H", address, "--tlsverify", f"--tlscacert={certificates}/ca.pem",
        f"--tlscert={certificates}/server.pem", f"--tlskey={certificates}/server-key.pem",
    )  # fmt: skip
    with oracle.dockerd(*flags):
        yield {
            **os.environ,
            "WHERRY_HOST": address,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(certificates),
        }


def run(
    environment: dict[str, str], *words: str, input: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*WHERRY, *words], env=environment, input=input, capture_output=True, timeout=60
    )


def test_lists(environment: dict[str, str]) -> None:
    done = run(environment, "images", "--format", "{{.Repository}}")
    assert (done.returncode, done.stdout) == (0, b"busybox\n")


def test_much_data_both_ways(environment: dict[str, str]) -> None:
    data = os.urandom(1 << 20) * 4
    done = run(environment, "run", "--rm", "-i", "--network", "none", "busybox", "cat", input=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data


def test_a_shell_at_a_terminal(environment: dict[str, str]) -> None:
    use_a_shell(WHERRY, environment)


def test_an_unknown_authority_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    done = run({**environment, "DOCKER_CERT_PATH": str(tmp_path)}, "ps")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"certificate verify failed" in done.stderr


def test_tls_is_needed(environment: dict[str, str]) -> None:
    done = run({**environment, "DOCKER_TLS_VERIFY": ""}, "ps")
    assert done.returncode == 1
    assert b"HTTPS server" in done.stderr
