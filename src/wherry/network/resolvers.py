"""The host's name servers, as resolv.conf(5) names them; read again when the file changes."""

import os

RESOLV_CONF = "/etc/resolv.conf"


class Resolvers:
    """IPv4 name servers of the host, in order."""

    def __init__(self, path: str = RESOLV_CONF) -> None:
        self._path = path
        self._stamp = (0, 0)
        self._servers: tuple[str, ...] = ()

    def servers(self) -> tuple[str, ...]:
        """At least one: without any, the resolver library asks the local machine."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return self._servers or ("127.0.0.1",)
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                self._servers = _parse(file.read())
            self._stamp = stamp
        return self._servers or ("127.0.0.1",)


def _parse(text: str) -> tuple[str, ...]:
    lines = (line.split() for line in text.splitlines())
    servers = (words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")
    return tuple(server for server in servers if ":" not in server)
