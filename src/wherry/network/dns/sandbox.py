"""The sockets behind 127.0.0.11:53 in a container's network namespace.

As with dockerd, port 53 itself stays free: a container may run a name server of its own, on every
address. A rule of the namespace's packet filter leads 127.0.0.11:53 to two other ports. Where the
kernel has no such rules, port 53 is taken after all.
"""

import contextlib
import os
import socket
from typing import NamedTuple

from wherry.kit.errors import InvalidInput
from wherry.linux import netns, nftables, rtnetlink
from wherry.linux import nft_expressions as nft
from wherry.linux import process as processes
from wherry.linux.netlink import NETFILTER, Message, NetlinkSocket
from wherry.linux.nftables import IPV4, OUTPUT, Chain, Rule

ADDRESS, PORT = "127.0.0.11", 53
_TABLE = "wherry-dns"
_BACKLOG = 64


class Init(NamedTuple):
    """The first process of a container, told apart from later ones of the same number."""

    pid: int
    start_time: int


class Opened(NamedTuple):
    """What was opened for a container. The sockets keep its namespace alive; `pidfd` ends that."""

    datagrams: socket.socket
    streams: socket.socket
    pidfd: int


def open_sandbox(init: Init) -> Opened:
    """Sockets that get what is sent to 127.0.0.11:53. Raises InvalidInput (it ended), OSError."""
    try:
        pidfd = processes.pidfd_open(init.pid)
    except ProcessLookupError:
        raise InvalidInput(f"process {init.pid} has ended") from None
    try:
        datagrams, streams = _in_namespace(init)
    except BaseException:
        os.close(pidfd)
        raise
    return Opened(datagrams, streams, pidfd)


def _in_namespace(init: Init) -> tuple[socket.socket, socket.socket]:
    try:
        namespace = os.open(f"/proc/{init.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InvalidInput(f"process {init.pid} has ended") from None
    try:
        if not processes.is_running(init.pid, init.start_time):
            raise InvalidInput(f"process {init.pid} is another one by now")
        return netns.inside(namespace, _open_here)
    finally:
        os.close(namespace)


def _open_here() -> tuple[socket.socket, socket.socket]:
    with NetlinkSocket.open() as route:
        route.request(rtnetlink.up_by_name_message("lo"))
    try:
        datagrams, streams = _listening(0)
    except OSError as error:
        raise OSError(error.errno, f"listen at {ADDRESS}: {error.strerror}") from error
    ports = (datagrams.getsockname()[1], streams.getsockname()[1])
    try:
        with NetlinkSocket.open(NETFILTER) as sock:
            nftables.commit(sock, [*_removal(), *_rules(*ports)])
    except OSError:  # this kernel has no translation by nf_tables
        datagrams.close()
        streams.close()
        return _listening(PORT)
    return datagrams, streams


def _listening(port: int) -> tuple[socket.socket, socket.socket]:
    with contextlib.ExitStack() as undo:
        datagrams = undo.enter_context(_socket(socket.SOCK_DGRAM))
        streams = undo.enter_context(_socket(socket.SOCK_STREAM))
        datagrams.bind((ADDRESS, port))
        streams.bind((ADDRESS, port))
        streams.listen(_BACKLOG)
        undo.pop_all()
    return datagrams, streams


def _socket(kind: int) -> socket.socket:
    return socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _removal() -> list[Message]:
    return [nftables.new_table(IPV4, _TABLE), nftables.delete_table(IPV4, _TABLE)]


def _rules(udp: int, tcp: int) -> list[Message]:
    chain = Chain(IPV4, _TABLE, "output", "nat", OUTPUT, -100)
    to_us = nft.destination_in(socket.inet_aton(ADDRESS), 32)
    messages = [nftables.new_table(IPV4, _TABLE), nftables.new_chain(chain)]
    for protocol, port in ((socket.IPPROTO_UDP, udp), (socket.IPPROTO_TCP, tcp)):
        match = (*to_us, *nft.protocol_is(protocol), *nft.destination_port_is(PORT))
        target = nft.translate_destination_to(socket.inet_aton(ADDRESS), port)
        messages.append(nftables.new_rule(IPV4, _TABLE, Rule("output", (*match, *target))))
    return messages


def remove_rules(init: Init) -> None:
    """Undo the rules in a container that lives on."""

    def remove() -> None:
        with NetlinkSocket.open(NETFILTER) as sock:
            nftables.commit(sock, _removal())

    with contextlib.suppress(OSError):  # it ended, or never had any
        namespace = os.open(f"/proc/{init.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if processes.is_running(init.pid, init.start_time):
                netns.inside(namespace, remove)
        finally:
            os.close(namespace)
