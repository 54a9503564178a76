"""Requests and answers about processes started in a running container."""

import msgspec

from wherry.dockerapi.host_config import StringOrList, UInt64
from wherry.dockerapi.names import go_name


class ExecCreateRequest(msgspec.Struct, frozen=True, rename=go_name):
    """POST /containers/{id}/exec."""

    user: str = ""
    privileged: bool = False
    tty: bool = False
    console_size: tuple[UInt64, UInt64] | None = None
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
    console_size: tuple[UInt64, UInt64] | None = None
    """Height, width (API 1.42)."""
