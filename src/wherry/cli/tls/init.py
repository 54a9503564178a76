"""`wherry tls init` and `wherry tls renew`."""

import os
import re
from collections.abc import Sequence

from wherry.cli.command import Arity, Command, Entry, Failed, Group
from wherry.cli.flags import number, text
from wherry.cli.session import Session
from wherry.cli.tls import folder as files

DAYS = 825
_HOST = re.compile(r"[A-Za-z0-9*]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")


def init(session: Session, arguments: list[str], *, dir: str, days: int, client: str) -> None:
    """Make an authority, a server's and a client's certificate; print the client's lines."""
    from wherry.cli.tls import certificates

    folder = os.path.abspath(dir or files.default())
    hosts = _with_loopback(arguments)
    files.refuse_existing(folder)
    authority = certificates.new_authority(f"wherry on {hosts[0]}")
    for name, data in zip(files.AUTHORITY, authority.pem(), strict=True):
        files.write(folder, name, data)
    files.write(folder, files.CLIENT_AUTHORITY, authority.pem().certificate)
    _issue(folder, authority, hosts, days, client)
    for line in files.lines(folder, hosts[0]):
        session.print(line)


def renew(session: Session, arguments: list[str], *, dir: str, days: int, client: str) -> None:
    """New certificates and keys, signed by the authority that is there."""
    from wherry.cli.tls import certificates

    folder = os.path.abspath(dir or files.default())
    pem = certificates.Signed(*(files.read(folder, name) for name in files.AUTHORITY))
    old = certificates.hosts_of(files.read(folder, files.SERVER[0]))
    hosts = _with_loopback(arguments) if arguments else old
    _issue(folder, certificates.read_authority(pem), hosts, days, client)
    session.print(f"renewed {folder}/{files.SERVER[0]} for {', '.join(hosts)}")
    session.print(f"renewed {folder}/{files.CLIENT[0]}; the old ones stay valid until they end")
    session.print("restart the daemon (containers go on) and copy the client folder again")


def _issue(folder: str, authority: object, hosts: Sequence[str], days: int, client: str) -> None:
    from wherry.cli.tls import certificates

    assert isinstance(authority, certificates.Authority)
    if days < 1:
        raise Failed(f"--days {days}: want 1 or more")
    issued = (
        (files.SERVER, certificates.server(authority, hosts, days)),
        (files.CLIENT, certificates.client(authority, client, days)),
    )
    for names, signed in issued:
        for name, data in zip(names, signed, strict=True):
            files.write(folder, name, data)


def _with_loopback(hosts: Sequence[str]) -> list[str]:
    """The hosts, and this machine's own loopback names. Raises Failed for what is no host."""
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise Failed(f"{host!r} is no host name or address")
    return [*dict.fromkeys((*hosts, "localhost", "127.0.0.1", "::1"))]


_FLAGS = (
    text("dir", "Folder of the files (default /etc/wherry/tls or ~/.config/wherry/tls)"),
    number("days", "Days the certificates are valid", default=DAYS),
    text("client", "Name in the client's certificate", default="client"),
)

group = Group(
    "tls",
    "Make certificates for tcp:// with mutual TLS",
    {
        "init": Entry("tls.init", "Make an authority, a server's and a client's certificate"),
        "renew": Entry("tls.init", "Make new certificates of the same authority", "renewal"),
    },
)
command = Command(
    "init",
    init,
    "Make an authority, a server's and a client's certificate",
    usage="HOST [HOST...]",
    arity=Arity(1),
    flags=_FLAGS,
)
renewal = Command(
    "renew",
    renew,
    "Make new certificates of the same authority, for the same hosts unless others are named",
    usage="[HOST...]",
    flags=_FLAGS,
)
