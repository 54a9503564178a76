"""What is kept of a container in `<state_root>/<id>`, and what is told of it.

```
state.json    this record, written once init is ready
config.json   the bundle's configuration as it was at create
start.sock    on which init waits; gone once the container was started
```
"""

import json
import os
from typing import NamedTuple

from wherry.kit import clock
from wherry.kit.errors import Conflict, Corrupt, NotFound
from wherry.kit.files import write_atomic
from wherry.linux import process
from wherry.linux.tree import remove_path
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.cgroups.state import from_state
from wherry.runtime.request import check_id
from wherry.runtime.spec import load_json, parse, parse_hooks
from wherry.runtime.spec_types import Hooks, Spec

CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating created running paused stopped".split()


class Record(NamedTuple):
    """The part that does not change. Times: `start_time` in ticks after boot, `created` in ns."""

    id: str
    version: str
    bundle: str
    rootfs: str
    pid: int
    start_time: int
    boot_id: str
    created: int
    owner: str
    cgroup: dict[str, object]
    rootless: bool
    annotations: dict[str, str]


class State(NamedTuple):
    """runtime.md, State, with runc's additions. `pid` is 0 once the container has stopped."""

    version: str
    id: str
    status: str
    pid: int
    bundle: str
    annotations: dict[str, str]
    rootfs: str
    created: int
    owner: str
    start_time: int

    def to_json(self) -> dict[str, object]:
        """The document that hooks and callers read."""
        document: dict[str, object] = {
            "ociVersion": self.version,
            "id": self.id,
            "pid": self.pid,
            "status": self.status,
            "bundle": self.bundle,
            "rootfs": self.rootfs,
            "created": clock.rfc3339(self.created),
            "owner": self.owner,
        }
        if self.annotations:
            document["annotations"] = self.annotations
        return document


def folder_of(state_root: str, container_id: str) -> str:
    """The container's own folder. Raises InvalidInput for an id that is none."""
    return f"{state_root}/{check_id(container_id)}"


def make_folder(state_root: str, container_id: str) -> str:
    """Claim the id. Raises Conflict where it is taken."""
    folder = folder_of(state_root, container_id)
    os.makedirs(state_root, 0o700, exist_ok=True)
    try:
        os.mkdir(folder, 0o711)
    except FileExistsError as error:
        raise Conflict(f"container with given ID already exists: {container_id}") from error
    return folder


def remove_folder(state_root: str, container_id: str) -> None:
    """Give the id back; what is gone already is fine."""
    folder = folder_of(state_root, container_id)
    if os.path.isdir(folder):
        remove_path(folder)


def save(folder: str, record: Record) -> None:
    """Write the record; no fsync: it does not outlive the boot."""
    write_atomic(f"{folder}/state.json", json.dumps(record._asdict()).encode(), durable=False)


def load(state_root: str, container_id: str) -> Record:
    """Read the record. Raises NotFound, Corrupt."""
    path = f"{folder_of(state_root, container_id)}/state.json"
    try:
        with open(path, "rb") as file:
            return Record(**json.loads(file.read()))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"container does not exist: {container_id}") from error
    except (ValueError, TypeError) as error:
        raise Corrupt(f"{path}: {error}") from error


def load_spec(state_root: str, container_id: str) -> Spec:
    """The configuration as it was at create. Raises NotFound."""
    try:
        return parse(load_json(f"{folder_of(state_root, container_id)}/config.json"))
    except NotFound as error:
        raise NotFound(f"container does not exist: {container_id}") from error


def load_hooks(state_root: str, container_id: str) -> Hooks:
    """The hooks alone: reading the whole configuration costs a millisecond. Raises NotFound."""
    try:
        return parse_hooks(load_json(f"{folder_of(state_root, container_id)}/config.json"))
    except NotFound as error:
        raise NotFound(f"container does not exist: {container_id}") from error


def is_alive(record: Record) -> bool:
    """Whether init still runs: the same boot, pid and start time, and not a zombie."""
    return record.boot_id == process.boot_id() and process.is_running(record.pid, record.start_time)


def placed(record: Record) -> Placement:
    """Where its processes are."""
    return from_state(record.cgroup)


def status_of(state_root: str, record: Record) -> str:
    """created, running, paused or stopped."""
    if not is_alive(record):
        return STOPPED
    if is_waiting(state_root, record):
        return CREATED
    return PAUSED if placed(record).frozen() else RUNNING


def is_waiting(state_root: str, record: Record) -> bool:
    """Whether the container has not been started yet."""
    return os.path.exists(f"{folder_of(state_root, record.id)}/start.sock")


def describe(record: Record, status: str) -> State:
    """The public view of a record."""
    return State(
        version=record.version,
        id=record.id,
        status=status,
        pid=0 if status == STOPPED else record.pid,
        bundle=record.bundle,
        annotations=record.annotations,
        rootfs=record.rootfs,
        created=record.created,
        owner=record.owner,
        start_time=record.start_time,
    )
