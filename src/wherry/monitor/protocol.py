"""What daemon, zygote and monitor tell each other, as values ⇄ JSON objects.

```
daemon                       zygote                    monitor
  │  launch + its socket  ──►  │  fork ───────────────►  │
  │ ◄───────────────────────────────────── hello        │  version, phase
  │ ◄──────────────── event created + pidfd, netns, …   │  (or: event failed, and it leaves)
  │  {"id": 1, "do": "start"} ────────────────────────► │
  │ ◄───────────────────────────────── {"id": 1, "ok"}  │  or {"id": 1, "error": {…}}
  │ ◄──────── event oom | detached | exec_exit | exit   │
  │ ◄─────────────────────────────────── end of file    │  all is cleaned up, the process leaves
```

Requests are named in `do`: start, attach, exec, expect_exec, resize, kill, descriptors, log_open,
log_wait, log_close. Frames carry the descriptors they name (see `framing`). Fields are only ever
added: a reader ignores what it does not know and has a default for what an older writer leaves out.
The name `slot` in a launch is kept for parked slots.
"""

import base64
from typing import Any, NamedTuple

from wherry.kit.errors import InvalidInput
from wherry.linux.mount import Mount

VERSION = 1
"""Raised when an old reader could no longer make sense of what is sent."""

KILLED = "the container's monitor was killed, and the container with it"

Fields = dict[str, Any]


class LogConfig(NamedTuple):
    """Where output is kept. Sizes in bytes; `max_size` -1 is no limit."""

    path: str = ""
    driver: str = "json-file"  # or "local", "none"
    max_size: int = -1
    max_file: int = 1
    compress: bool = False
    attrs: tuple[tuple[str, str], ...] = ()
    remote: tuple[tuple[str, str], ...] = ()  # where lines are sent on to (see logremote)

    def to_fields(self) -> Fields:
        return {**self._asdict(), "attrs": dict(self.attrs), "remote": dict(self.remote)}

    @classmethod
    def from_fields(cls, fields: Fields) -> "LogConfig":
        known = _known(cls, fields)
        for name in ("attrs", "remote"):
            known[name] = tuple(fields.get(name, {}).items())
        return cls(**known)


class LaunchRequest(NamedTuple):
    """All that a monitor needs to know about its container.

    `runtime` empty is our own, in process; else the command line of runc, crun or another that
    understands theirs. `rootfs_mounts` are attached at `<bundle>/rootfs` in the monitor's mount
    namespace, which follows the host's ("rslave") or shares with it ("rshared", for containers
    that have a shared bind).
    """

    container_id: str
    exec_dir: str
    bundle: str
    rootfs_mounts: tuple[Mount, ...] = ()
    runtime: tuple[str, ...] = ()
    log: LogConfig = LogConfig(driver="none")
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    propagation: str = "rslave"
    own_pid_namespace: bool = True
    one_id: bool = False  # changes of user and group are answered by the monitor (id_watch)
    no_pivot: bool = False
    console_size: tuple[int, int] = (0, 0)  # columns, rows; zero leaves the kernel's
    filter_cache: str = ""  # folder of compiled seccomp filters; empty compiles each time

    @property
    def state_root(self) -> str:
        """The runtime's own folder."""
        return f"{self.exec_dir}/runtime"

    def to_fields(self) -> Fields:
        return {
            **self._asdict(),
            "rootfs_mounts": [list(mount) for mount in self.rootfs_mounts],
            "log": self.log.to_fields(),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> "LaunchRequest":
        known = _known(cls, fields)
        known["rootfs_mounts"] = tuple(
            Mount(fstype, source, tuple(options))
            for fstype, source, options in fields.get("rootfs_mounts", ())
        )
        known["log"] = LogConfig.from_fields(fields.get("log", {"driver": "none"}))
        for name in ("runtime", "console_size"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)


class AttachOptions(NamedTuple):
    """How a client's socket is joined to a process.

    `leftover` are bytes of stdin that were read with the head of the request. `mux` wraps output
    in Docker's eight-byte headers (never on a terminal). `logs` replays what was logged before,
    `stream` False ends after that.
    """

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    stream: bool = True
    logs: bool = False
    mux: bool = True
    detach_keys: str = ""
    leftover: bytes = b""

    def to_fields(self) -> Fields:
        return {**self._asdict(), "leftover": base64.b64encode(self.leftover).decode()}

    @classmethod
    def from_fields(cls, fields: Fields) -> "AttachOptions":
        known = _known(cls, fields)
        known["leftover"] = base64.b64decode(fields.get("leftover", ""))
        return cls(**known)


class ExecLaunch(NamedTuple):
    """A further process in the container; `process` is the OCI process object.

    With `attach` its socket comes beside the request; without, output goes nowhere.
    """

    exec_id: str
    process: Fields
    tty: bool = False
    open_stdin: bool = False
    attach: AttachOptions | None = None
    console_size: tuple[int, int] = (0, 0)

    def to_fields(self) -> Fields:
        attach = None if self.attach is None else self.attach.to_fields()
        return {**self._asdict(), "attach": attach}

    @classmethod
    def from_fields(cls, fields: Fields) -> "ExecLaunch":
        known = _known(cls, fields)
        attach = fields.get("attach")
        known["attach"] = None if attach is None else AttachOptions.from_fields(attach)
        known["console_size"] = tuple(fields.get("console_size", (0, 0)))
        return cls(**known)


class Exit(NamedTuple):
    """The end of a process. Times in nanoseconds since the epoch; `signal` 0 is a normal end."""

    code: int
    signal: int = 0
    oom: bool = False
    started: int = 0
    finished: int = 0
    error: str = ""

    def to_fields(self) -> Fields:
        return self._asdict()

    @classmethod
    def from_fields(cls, fields: Fields) -> "Exit":
        return cls(**_known(cls, fields))


class Identity(NamedTuple):
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    start_time: int  # clock ticks since boot, field 22 of /proc/PID/stat

    @classmethod
    def from_fields(cls, fields: Fields) -> "Identity":
        return cls(int(fields["pid"]), int(fields["start_time"]))


def _known(cls: Any, fields: Fields) -> Fields:
    known = {name: fields[name] for name in cls._fields if name in fields}
    missing = [name for name in cls._fields if name not in known and name not in _defaults(cls)]
    if missing:
        raise InvalidInput(f"{cls.__name__}: field {missing[0]!r} is missing")
    return known


def _defaults(cls: Any) -> Fields:
    defaults: Fields = cls._field_defaults
    return defaults
