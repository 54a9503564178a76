"""Requests and answers about processes started in a running container."""

from typing import ClassVar

import msgspec

from wherry.dockerapi.host_config import StringOrList, UInt
from wherry.dockerapi.names import go_name


class ExecCreateRequest(msgspec.Struct, frozen=True, rename=go_name):
    """POST /containers/{id}/exec."""

    user: str = ""
    privileged: bool = False
    tty: bool = False
    console_size: tuple[UInt, UInt] = (0, 0)
    """Height, width (API 1.42)."""
    attach_stdin: bool = False
    attach_stderr: bool = False
    attach_stdout: bool = False
    detach: bool = False
    detach_keys: str = ""
    env: list[str] | None = None
    working_dir: str = ""
    cmd: StringOrList | None = None


class ExecStartRequest(msgspec.Struct, frozen=True, rename=go_name):
    """POST /exec/{id}/start."""

    detach: bool = False
    tty: bool = False
    console_size: tuple[UInt, UInt] = (0, 0)
    """Height, width (API 1.42)."""


class ExecProcess(msgspec.Struct, frozen=True):
    """The command of an exec as inspect shows it."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("privileged", "user"))

    tty: bool = False
    entrypoint: str = ""
    arguments: tuple[str, ...] = ()
    privileged: bool | None = None
    user: str = ""


class ExecInspect(msgspec.Struct, frozen=True, rename=go_name):
    """GET /exec/{id}/json; the exit code is None until the process has ended."""

    id: str
    running: bool = False
    exit_code: int | None = None
    process_config: ExecProcess = ExecProcess()
    open_stdin: bool = False
    open_stderr: bool = False
    open_stdout: bool = False
    can_remove: bool = False
    container_id: str = ""
    detach_keys: str = ""
    pid: int = 0
