"""Opening a byte stream to an engine: unix socket, TCP, TCP with TLS, ssh."""

import socket
from typing import TYPE_CHECKING

from wherry.client import ssh
from wherry.client.endpoint import Endpoint, Tls
from wherry.client.http import reason
from wherry.kit.errors import InvalidInput, NotPermitted, Unavailable
from wherry.kit.keepalive import watch_for_dead_peers

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 30.0


def dial(endpoint: Endpoint) -> socket.socket:
    """A connected, blocking socket. Raises Unavailable, NotPermitted."""
    try:
        return _dial(endpoint)
    except PermissionError as error:
        raise NotPermitted(
            f"permission denied while trying to connect to the wherry daemon socket at {endpoint}: "
            "is this user allowed to use it?"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"cannot connect to the wherry daemon at {endpoint}: is the wherry daemon running? "
            f"({reason(error)})"
        ) from error


def explained(stream: socket.socket, endpoint: Endpoint, error: Unavailable) -> Unavailable:
    """The error of a request, or what ssh says where that is why there was no answer."""
    said = stream.complaint() if isinstance(stream, ssh.Tunnel) else ""
    if not said:
        return error
    return Unavailable(f"cannot connect to the wherry daemon at {endpoint}: {said}")


def _dial(endpoint: Endpoint) -> socket.socket:
    if endpoint.ssh is not None:
        return ssh.connect(endpoint.ssh)
    if endpoint.path:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            plain.connect(endpoint.path)
        except BaseException:
            plain.close()
            raise
        return plain
    stream = socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    watch_for_dead_peers(stream)
    try:
        secured = stream if endpoint.tls is None else _secured(stream, endpoint.host, endpoint.tls)
    except BaseException:
        stream.close()
        raise
    secured.settimeout(None)
    return secured


def _secured(stream: socket.socket, host: str, tls: Tls) -> socket.socket:
    return tls_context(tls).wrap_socket(stream, server_hostname=host)


def tls_context(tls: Tls) -> "ssl.SSLContext":
    """Raises InvalidInput, which names the file that is missing or broken."""
    import ssl

    for path in (tls.authority, tls.certificate, tls.key):
        _check_readable(path)
    try:
        context = ssl.create_default_context(cafile=tls.authority or None)
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None)
    except ssl.SSLError as error:
        files = ", ".join(path for path in tls[:3] if path)
        raise InvalidInput(f"the TLS files {files} cannot be used: {reason(error)}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_readable(path: str) -> None:
    try:
        if path:
            open(path, "rb").close()
    except OSError as error:
        raise InvalidInput(f"TLS file {path}: {reason(error)}") from error
