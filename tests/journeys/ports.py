"""Ports of the host for a test, and what answers there."""

import socket
import urllib.request


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def page_of(port: int) -> bytes:
    """The page at a port of 127.0.0.1, or the text of what went wrong."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            data: bytes = answer.read()
            return data
    except OSError as error:
        return str(error).encode()
