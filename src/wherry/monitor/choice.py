"""Which runtime a launch asks for."""

from wherry.linux.cgroup.layout import Layout
from wherry.monitor.inprocess import InProcess
from wherry.monitor.protocol import LaunchRequest
from wherry.monitor.runtimes import CommandLine, Runtime


def choose(request: LaunchRequest, layout: Layout | None = None) -> Runtime:
    """Our own in this process, or the program that is named. A known layout is not read anew."""
    return CommandLine(request) if request.runtime else InProcess(request, layout)
