"""The last stretch of init and of an exec: from a set-up process to the program."""

import gc
import os
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from wherry.linux import process
from wherry.runtime import settings, streams
from wherry.runtime.command import Command, find, with_home
from wherry.runtime.filters import Filters, load_filters
from wherry.runtime.hooks import restore_signals
from wherry.runtime.identity import Identity
from wherry.runtime.identity import become as take_identity
from wherry.runtime.spec_types import Process, Rlimit


class Prepared(NamedTuple):
    """All that is left to do, laid out while files can still be opened."""

    identity: Identity
    limits: tuple[Rlimit, ...]
    command: Command
    filters: Filters
    state: Mapping[str, object]
    tie: Callable[[], None]


def settle_child() -> None:
    """In a fresh child: not traceable, default signals, umask 0, no garbage collection.

    A collection would touch every object of the caller, and so copy all its memory.
    """
    gc.disable()
    lock_imports()
    process.set_dumpable(False)
    restore_signals()
    os.umask(0)


def lock_imports() -> None:
    """From here on nothing is imported from a file, for good.

    Inside the container a late import (a codec, a traceback) would run the container's file with
    our rights. What a child needs was imported by its caller.
    """
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    names = ("BuiltinImporter", "FrozenImporter")  # what is in the interpreter itself
    sys.meta_path[:] = [one for one in sys.meta_path if getattr(one, "__name__", "") in names]


def prepare(
    wanted: Process,
    identity: Identity,
    state: Mapping[str, object],
    filters: Filters,
    tie: Callable[[], None],
) -> Prepared:
    """Find the program; we are in the container's root and working directory already.

    Raises CommandNotFound, CommandNotExecutable.
    """
    environment = with_home(wanted.env, wanted.user.uid)
    path = find(wanted.args[0], environment)
    command = Command(path, wanted.args, environment)
    return Prepared(identity, wanted.rlimits, command, filters, state, tie)


def become(
    prepared: Prepared, result_fd: int, preserved: int, before_last: Callable[[], None]
) -> None:
    """Limits, identity, filter, execve. Returns only by an error.

    Descriptors go before the identity: what is open to the host must not be seen once others of
    the container's user may look at us (CVE-2016-9962). `result_fd` closes itself at execve;
    `before_last` runs with the identity, but without a filter that waits for no_new_privs.
    """
    keep = [result_fd]
    if prepared.filters.listener is not None:
        keep.append(prepared.filters.listener)
    streams.seal(preserved, keep)
    os.set_inheritable(result_fd, False)
    settings.set_limits(prepared.limits)
    take_identity(prepared.identity, lambda: load_filters(prepared.filters, prepared.state))
    prepared.tie()
    before_last()
    if prepared.identity.no_new_privileges:
        load_filters(prepared.filters, prepared.state)
    prepared.command.execute()


def death_tie(wanted: bool) -> Callable[[], None]:
    """A function that has us killed when our parent ends; it is called after the stage is gone.

    Changing ids undoes it, so it is called again after that.
    """
    return process.die_with_parent if wanted else _stay_alive


def _stay_alive() -> None:
    """The program that made us ends at once: we outlive it."""
