"""Opening a byte stream to an engine: unix socket, TCP, TCP with TLS."""

import socket

from wherry.client.endpoint import Endpoint, Tls
from wherry.kit.errors import NotPermitted, Unavailable

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
            f"({error.strerror or error})"
        ) from error


def _dial(endpoint: Endpoint) -> socket.socket:
    if endpoint.path:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            plain.connect(endpoint.path)
        except BaseException:
            plain.close()
            raise
        return plain
    stream = socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
    stream.settimeout(None)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream if endpoint.tls is None else _secured(stream, endpoint.host, endpoint.tls)


def _secured(stream: socket.socket, host: str, tls: Tls) -> socket.socket:
    import ssl

    context = ssl.create_default_context(cafile=tls.authority or None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key or None)
    return context.wrap_socket(stream, server_hostname=host)
