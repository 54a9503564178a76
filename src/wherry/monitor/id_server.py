"""The process that makes changes of user and group come true where there is one id.

The container's filter hands such calls over (seccomp_unotify(2)). A thread that may and wants to
be somebody else is made to join a user namespace in which our one id has that name (`id_spaces`),
by its own system call (`linux.ptrace`): all it sees afterwards, files' owners too, fits. A process
with several threads cannot change its user namespace; it does so when it runs its next program.
"""

import contextlib
import os
import select
import signal
import socket
import struct

from wherry.linux import fdpass, ptrace, seccomp_notify
from wherry.linux.namespace import CLONE_NEWUSER
from wherry.linux.process import PR_GET_KEEPCAPS, PR_SET_KEEPCAPS, read_small
from wherry.linux.seccomp_notify import Notification
from wherry.monitor.id_calls import Ids, judge
from wherry.monitor.id_spaces import Spaces, capabilities_of, ids_of

_SETNS, _CLOSE, _PRCTL, _CAPSET = 308, 3, 157, 126  # x86-64
_NOTHING = (struct.pack("=II", 0x20080522, 0), bytes(24))
"""capset(2): version 3, the caller, six words of empty sets."""
_POLL = 2  # milliseconds between looks at processes that we trace
_ANY = 0x40000000 | os.WNOHANG  # __WALL


class _Waiting:
    """A process of several threads that is to be somebody else from its next program on."""

    __slots__ = ("descriptors", "ids")

    def __init__(self) -> None:
        self.ids: Ids | None = None
        self.descriptors: list[int] = []
        """Numbers in the process; the last one is the namespace to join."""


class IdServer:
    """Serves until it is killed (with its monitor at the latest)."""

    __slots__ = ("_listeners", "_poll", "_sockets", "_spaces", "_waiting")

    def __init__(self, sockets: list[socket.socket], listeners: list[int]) -> None:
        self._poll = select.poll()
        self._spaces = Spaces()
        self._waiting: dict[int, _Waiting] = {}
        self._sockets = {each.fileno(): each for each in sockets}
        self._listeners = set(listeners)
        for descriptor in (*self._sockets, *listeners):
            self._poll.register(descriptor, select.POLLIN)

    def run(self) -> None:
        """For ever."""
        while True:
            for descriptor, events in self._poll.poll(_POLL if self._waiting else None):
                if descriptor in self._sockets:
                    self._newcomer(self._sockets[descriptor])
                elif events & select.POLLIN:
                    self._take(descriptor)
                else:
                    self._forget(descriptor)
            if self._waiting:
                self._look_at_traced()

    def _newcomer(self, sock: socket.socket) -> None:
        """A connection, or on one the descriptor of a new filter."""
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            connection, _ = sock.accept()
            self._sockets[connection.fileno()] = connection
            self._poll.register(connection, select.POLLIN)
            return
        _, descriptors = fdpass.receive(sock)
        for listener in descriptors:
            self._listeners.add(listener)
            self._poll.register(listener, select.POLLIN)
        self._poll.unregister(sock)
        self._sockets.pop(sock.fileno()).close()

    def _forget(self, listener: int) -> None:
        """Nobody is bound by that filter any more."""
        self._poll.unregister(listener)
        self._listeners.discard(listener)
        os.close(listener)

    def _take(self, listener: int) -> None:
        notification = seccomp_notify.receive(listener)
        if notification is None:
            return
        try:
            self._decide(listener, notification)
        except TimeoutError:  # stopped half way: it must not go on as it is
            os.kill(notification.thread, signal.SIGKILL)
        except (OSError, IndexError):  # it has died, or is traced by others: success, unchanged
            seccomp_notify.answer(listener, notification.id)

    def _decide(self, listener: int, call: Notification) -> None:
        process = _process_of(call.thread)
        waiting = self._waiting.get(process)
        now = ids_of(call.thread)
        if now is None:
            seccomp_notify.let_pass(listener, call.id)
            return
        named = waiting.ids if waiting is not None and waiting.ids is not None else now
        effective = capabilities_of(call.thread)
        verdict = judge(call.number, call.audit_arch, call.arguments, named, effective)
        if verdict.become is None:
            seccomp_notify.answer(listener, call.id, verdict.error)
            return
        space = self._spaces.descriptor(call.thread, now, verdict.become)
        number = seccomp_notify.add_descriptor(listener, call.id, space)
        if number < 0:
            return
        if len(os.listdir(f"/proc/{process}/task")) == 1:
            left_root = now.uid == 0 and verdict.become.uid != 0
            _switch(call, number, listener, drop=left_root and not verdict.may_return)
            return
        self._wait_for_exec(process, verdict.become, number)
        seccomp_notify.answer(listener, call.id)

    def _wait_for_exec(self, process: int, ids: Ids, number: int) -> None:
        if process not in self._waiting:
            for thread in os.listdir(f"/proc/{process}/task"):
                ptrace.seize(int(thread), ptrace.TRACE_EXEC | ptrace.TRACE_CLONE)
        waiting = self._waiting.setdefault(process, _Waiting())
        waiting.ids = ids
        waiting.descriptors.append(number)

    def _look_at_traced(self) -> None:
        while True:
            try:
                thread, status = os.waitpid(-1, _ANY)
            except ChildProcessError:
                self._waiting.clear()
                return
            if not thread:
                return
            if not os.WIFSTOPPED(status):
                self._waiting.pop(thread, None)
            elif ptrace.is_exec(status):
                _switch_in_exec(thread, self._waiting.pop(thread, _Waiting()).descriptors)
            elif status >> 16:
                ptrace.go_on(thread)
            else:
                ptrace.go_on(thread, os.WSTOPSIG(status))


def _process_of(thread: int) -> int:
    status = read_small(f"/proc/{thread}/status")
    return int(status.split("Tgid:", 1)[1].split(None, 1)[0])


def _switch(call: Notification, number: int, listener: int, *, drop: bool) -> None:
    """Interrupt the call, join in its place, and have it return 0.

    `drop`: root becomes somebody else, and loses its capabilities (capabilities(7)).
    """
    try:
        ptrace.seize(call.thread)
    except PermissionError:  # a debugger has it
        seccomp_notify.answer(listener, call.id)
        return
    status = ptrace.interrupt(call.thread)
    if not ptrace.is_interrupted(status):  # a signal came first: the call will be made again
        ptrace.detach(call.thread, os.WSTOPSIG(status))
        return
    stopped = ptrace.Stopped(call.thread)
    if not stopped.waits_in(call.number):
        stopped.leave(None)
        return
    _join(stopped, number, drop=drop)
    stopped.leave(0)


def _join(stopped: ptrace.Stopped, number: int, *, drop: bool) -> None:
    """The new namespace gives all capabilities and forgets the wish to keep them."""
    keep = stopped.call(_PRCTL, PR_GET_KEEPCAPS) == 1
    joined = stopped.call(_SETNS, number, CLONE_NEWUSER) == 0
    stopped.call(_CLOSE, number)
    if joined and keep:
        stopped.call(_PRCTL, PR_SET_KEEPCAPS, 1)
    elif joined and drop:
        stopped.call_with(_CAPSET, *_NOTHING)


def _switch_in_exec(thread: int, descriptors: list[int]) -> None:
    """The new program has one thread; nothing of it has run yet."""
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        stopped = ptrace.Stopped(thread)
        stopped.finish_exec()
        if descriptors:
            stopped.call(_SETNS, descriptors[-1], CLONE_NEWUSER)
        for number in descriptors:
            stopped.call(_CLOSE, number)
        stopped.leave(None)
