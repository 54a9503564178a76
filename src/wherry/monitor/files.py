"""The files of an exec directory by which a monitor is found again and its results outlive it."""

import contextlib
import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from wherry.kit.errors import Corrupt
from wherry.kit.files import read_optional, write_atomic
from wherry.linux.process import boot_id, start_time
from wherry.monitor.protocol import VERSION, Exit, Identity, LaunchRequest

Fields = dict[str, Any]


class Record(NamedTuple):
    """monitor.json."""

    version: int
    boot_id: str
    monitor: Identity
    init: Identity | None
    request: LaunchRequest


def socket_path(exec_dir: str) -> str:
    """Where the monitor listens."""
    return f"{exec_dir}/monitor.sock"


def write_record(request: LaunchRequest, init: Identity | None, pid: int) -> None:
    """Say which process is the monitor, and which its init."""
    fields = {
        "version": VERSION,
        "boot_id": boot_id(),
        "monitor": Identity(pid, start_time(pid))._asdict(),
        "init": init._asdict() if init else None,
        "request": request.to_fields(),
    }
    _write(f"{request.exec_dir}/monitor.json", fields)


def read_record(exec_dir: str) -> Record | None:
    """None where there never was a monitor. Raises Corrupt."""
    fields = _read(f"{exec_dir}/monitor.json")
    if fields is None:
        return None
    init = fields.get("init")
    return Record(
        int(fields["version"]),
        str(fields["boot_id"]),
        Identity.from_fields(fields["monitor"]),
        None if init is None else Identity.from_fields(init),
        LaunchRequest.from_fields(fields["request"]),
    )


def write_exit(exec_dir: str, exit_: Exit) -> None:
    """The container has ended; written before anyone is told."""
    _write(f"{exec_dir}/exit.json", exit_.to_fields())


def read_exit(exec_dir: str) -> Exit | None:
    """None where it has not ended. Raises Corrupt."""
    fields = _read(f"{exec_dir}/exit.json")
    return None if fields is None else Exit.from_fields(fields)


def exec_exit_path(exec_dir: str, exec_id: str) -> str:
    """Where the end of an exec is written down."""
    return f"{exec_dir}/exec/{exec_id}.json"


def probe_path(exec_dir: str) -> str:
    """Where the daemon notes the id of the health check that runs: an exec that ends with it."""
    return f"{exec_dir}/probe"


def write_exec_exit(exec_dir: str, exec_id: str, exit_: Exit) -> None:
    """An exec has ended; written before anyone is told."""
    _write(exec_exit_path(exec_dir, exec_id), exit_.to_fields())


def read_exec_exit(exec_dir: str, exec_id: str) -> Exit | None:
    """None where it has not ended (or never was). Raises Corrupt."""
    fields = _read(exec_exit_path(exec_dir, exec_id))
    return None if fields is None else Exit.from_fields(fields)


def prepare(exec_dir: str) -> None:
    """Make the folders and remove what an earlier run of the container left."""
    os.makedirs(f"{exec_dir}/exec", 0o700, exist_ok=True)
    stale = [f"{exec_dir}/exec/{name}" for name in os.listdir(f"{exec_dir}/exec")]
    ours = ("exit.json", "monitor.json", "monitor.sock", "stack.txt", "probe")
    remove(stale + [f"{exec_dir}/{name}" for name in ours])


def remove(paths: Iterable[str]) -> None:
    """Unlink; what is not there is fine."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _write(path: str, fields: Fields) -> None:
    write_atomic(path, json.dumps(fields).encode(), durable=False)


def _read(path: str) -> Fields | None:
    content = read_optional(path)
    if content is None:
        return None
    try:
        fields = json.loads(content)
    except ValueError as error:
        raise Corrupt(f"{path} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Corrupt(f"{path} is not a JSON object")
    return fields
