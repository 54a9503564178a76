"""Where the engine is: default sockets, `-H`, environment variables and Docker's contexts.

The daemon imports `default_socket` from here too, so that both sides agree.
"""

import os
from typing import NamedTuple

from wherry.client import ssh
from wherry.client.ssh import Ssh
from wherry.kit.errors import InvalidInput, NotFound

SYSTEM_SOCKET = "/run/wherry/wherry.sock"
TCP_PORT = 2375
TLS_PORT = 2376


class Tls(NamedTuple):
    """Certificate files of a TLS connection; an empty path means "none given"."""

    authority: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


class Endpoint(NamedTuple):
    """One engine's address: a unix socket, a host and port with an optional TLS, or by ssh."""

    path: str = ""
    """Path of the unix socket; empty for TCP."""
    host: str = ""
    port: int = 0
    tls: Tls | None = None
    prefix: str = ""
    """Path before every route, from `tcp://host:port/prefix`."""
    ssh: Ssh | None = None

    def __str__(self) -> str:
        if self.ssh is not None:
            return str(self.ssh)
        if self.path:
            return f"unix://{self.path}"
        return f"tcp://{_bracketed(self.host)}:{self.port}{self.prefix}"


class Choice(NamedTuple):
    """What the command line said about the engine; all of it is optional."""

    host: str = ""
    context: str = ""
    config: str = ""
    """Folder of Docker's client configuration; empty means DOCKER_CONFIG or ~/.docker."""
    tls: bool = False
    tls_verify: bool | None = None
    authority: str = ""
    certificate: str = ""
    key: str = ""


def default_socket() -> str:
    """The socket this user's own daemon listens on."""
    if os.geteuid() == 0:
        return SYSTEM_SOCKET
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return f"{runtime}/wherry/wherry.sock"
    return f"/tmp/wherry-{os.getuid()}/wherry.sock"


def resolve(choice: Choice) -> Endpoint:
    """The engine to talk to, by Docker's order of precedence.

    `-H`, then `--context`, WHERRY_HOST, DOCKER_HOST, DOCKER_CONTEXT, the configuration's current
    context, and last the default sockets. Raises InvalidInput, NotFound.
    """
    if choice.host and choice.context:
        raise InvalidInput("conflicting options: either specify --host or --context, not both")
    if choice.host:
        return parse(choice.host, tls_of(choice))
    if choice.context:
        return of_context(choice.context, choice)
    if _host_variable() or (name := context_name(choice)) == "default":
        return resolve_default(choice)
    return of_context(name, choice)


def resolve_default(choice: Choice) -> Endpoint:
    """The engine of the context `default`: flags and variables, else the default sockets.

    Raises InvalidInput.
    """
    host = choice.host or _host_variable()
    tls = tls_of(choice)
    if host:
        return parse(host, tls)
    if tls is not None:  # as Docker's command line does
        return Endpoint(host="localhost", port=TLS_PORT, tls=tls)
    return Endpoint(path=_existing_socket())


def _host_variable() -> str:
    return os.environ.get("WHERRY_HOST") or os.environ.get("DOCKER_HOST") or ""


def parse(host: str, tls: Tls | None = None) -> Endpoint:
    """`unix:///path`, `tcp://host:port`, `host:port`, `/path` → Endpoint.

    `ssh://[user@]host[:port][/path]` too. Raises InvalidInput.
    """
    scheme, separator, rest = host.partition("://")
    if not separator:
        scheme, rest = ("unix", host) if host.startswith("/") else ("tcp", host)
    if scheme in ("unix", "http+unix"):
        return Endpoint(path=rest or default_socket())
    if scheme in ("tcp", "http", "https"):
        return _parse_tcp(host, rest, tls or (Tls() if scheme == "https" else None))
    if scheme == "ssh":
        return Endpoint(ssh=ssh.parse(host))
    raise InvalidInput(f"unable to parse docker host `{host}`: want unix://, tcp:// or ssh://")


def _parse_tcp(host: str, rest: str, tls: Tls | None) -> Endpoint:
    address, slash, prefix = rest.partition("/")
    name, port = address, ""
    if address.startswith("["):
        name, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in address:
        name, _, port = address.rpartition(":")
    if port and not port.isdigit():
        raise InvalidInput(f"invalid port in host {host!r}")
    number = int(port) if port else (TLS_PORT if tls else TCP_PORT)
    return Endpoint(
        host=name or "localhost", port=number, tls=tls, prefix=(slash + prefix).rstrip("/")
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def tls_of(choice: Choice) -> Tls | None:
    """TLS by flags, else by DOCKER_TLS_VERIFY and DOCKER_TLS; files from DOCKER_CERT_PATH."""
    verify = choice.tls_verify
    if verify is None:
        verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not (verify or choice.tls or os.environ.get("DOCKER_TLS")):
        return None
    folder = os.environ.get("DOCKER_CERT_PATH") or config_folder(choice)
    return Tls(
        authority=choice.authority or _if_exists(f"{folder}/ca.pem"),
        certificate=choice.certificate or _if_exists(f"{folder}/cert.pem"),
        key=choice.key or _if_exists(f"{folder}/key.pem"),
        verify=verify,
    )


def _if_exists(path: str) -> str:
    return path if os.path.exists(path) else ""


def config_folder(choice: Choice) -> str:
    """The folder of Docker's client configuration."""
    return choice.config or os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")


def context_name(choice: Choice) -> str:
    """The context in force where no host is named: `default` if none was chosen."""
    named = choice.context or os.environ.get("DOCKER_CONTEXT")
    if named:
        return named
    path = f"{config_folder(choice)}/config.json"
    if not os.path.exists(path):
        return "default"
    from wherry.client.config import read_config

    return read_config(path).current_context or "default"


def of_context(name: str, choice: Choice) -> Endpoint:
    """The endpoint of a Docker context. Raises NotFound."""
    if name == "default":
        return Endpoint(path=_existing_socket())
    from wherry.client.config import read_context

    folder = config_folder(choice)
    context = read_context(folder, name)
    if context is None:
        raise NotFound(f"context {name!r}: no such context in {folder}/contexts")
    return parse(context.host, context.tls)


def _existing_socket() -> str:
    own = default_socket()
    if not os.path.exists(own) and os.access(SYSTEM_SOCKET, os.W_OK):
        return SYSTEM_SOCKET
    return own
