"""The runtime's functions, for those who call it in process (the monitor, the program).

The caller has to be single-threaded; it is a subreaper where it wants init as its child. Nothing
of the caller changes: no namespace, no descriptor, no signal handler.
"""

from wherry.runtime.control import (
    delete,
    kill,
    listed,
    pause,
    processes,
    resume,
    start,
    stats,
    update,
)
from wherry.runtime.control import read_state as state
from wherry.runtime.create import create
from wherry.runtime.execute import execute
from wherry.runtime.request import CreateRequest, ExecRequest
from wherry.runtime.state import State

__all__ = [
    "CreateRequest",
    "ExecRequest",
    "State",
    "create",
    "delete",
    "execute",
    "kill",
    "listed",
    "pause",
    "processes",
    "resume",
    "start",
    "state",
    "stats",
    "update",
]
