"""Which runtime a launch asks for."""

from wherry.monitor.inprocess import InProcess
from wherry.monitor.protocol import LaunchRequest
from wherry.monitor.runtimes import CommandLine, Runtime


def choose(request: LaunchRequest) -> Runtime:
    """Our own in this process, or the program that is named."""
    return CommandLine(request) if request.runtime else InProcess(request)
