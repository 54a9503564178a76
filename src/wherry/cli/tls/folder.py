"""Where `wherry tls` keeps its files, and how they are written.

```
DIR/ca.pem, ca-key.pem                the authority; its key signs everyone who may come in
DIR/server-cert.pem, server-key.pem   for `wherry daemon --tlscert --tlskey`
DIR/client/{ca,cert,key}.pem          a folder as DOCKER_CERT_PATH wants it, to carry away
```
"""

import os

from wherry.cli.command import Failed

AUTHORITY = ("ca.pem", "ca-key.pem")
SERVER = ("server-cert.pem", "server-key.pem")
CLIENT = ("client/cert.pem", "client/key.pem")
CLIENT_AUTHORITY = "client/ca.pem"
EVERYTHING = (*AUTHORITY, *SERVER, *CLIENT, CLIENT_AUTHORITY)
PORT = 2376


def default() -> str:
    """/etc/wherry/tls for root, the XDG configuration folder for everyone else."""
    if os.geteuid() == 0:
        return "/etc/wherry/tls"
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return f"{config}/wherry/tls"


def refuse_existing(folder: str) -> None:
    """Raises Failed where any of the files is there: a lost authority locks every client out."""
    there = [name for name in EVERYTHING if os.path.lexists(f"{folder}/{name}")]
    if there:
        raise Failed(
            f"{folder}/{there[0]} is there already and is not overwritten; `wherry tls renew` "
            "makes new certificates of the same authority, --dir takes another folder"
        )


def read(folder: str, name: str) -> bytes:
    """Raises Failed."""
    try:
        with open(f"{folder}/{name}", "rb") as file:
            return file.read()
    except OSError as error:
        why = (error.strerror or "").lower()
        raise Failed(f"{folder}/{name}: {why} (`wherry tls init` makes it)") from error


def write(folder: str, name: str, data: bytes) -> None:
    """A file that is there whole or not at all; keys for the owner's eyes only. Raises Failed."""
    path = f"{folder}/{name}"
    mode = 0o600 if name.endswith("key.pem") else 0o644
    temporary = f"{path}.{os.getpid()}.new"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError as error:
        raise Failed(f"cannot write {path}: {(error.strerror or '').lower()}") from error


def lines(folder: str, host: str) -> list[str]:
    """What the daemon and the client are told."""
    address = f"[{host}]" if ":" in host else host
    there = f"tcp://{address}:{PORT}"
    return [
        "The engine, here:",
        f"  wherry daemon -H tcp://0.0.0.0:{PORT} --tlsverify --tlscacert={folder}/ca.pem \\",
        f"    --tlscert={folder}/{SERVER[0]} --tlskey={folder}/{SERVER[1]}",
        f"A client, with a copy of {folder}/client in its folder CERTS:",
        f"  export DOCKER_HOST={there} DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=CERTS",
        "or, for docker and wherry alike:",
        f"  wherry context create {host.replace(':', '-')} --docker \\",
        f"    host={there},ca=CERTS/ca.pem,cert=CERTS/cert.pem,key=CERTS/key.pem",
        f"Who has {folder}/client/key.pem owns the engine. {folder}/ca-key.pem makes more of them.",
    ]
