"""exec: the options as a process, run detached or in the foreground."""

import os

from wherry.kit.errors import InvalidInput
from wherry.linux import process as processes
from wherry.runtime import lifecycle, state
from wherry.runtime.commands import foreground
from wherry.runtime.commands.arguments import Arguments, Syntax, read
from wherry.runtime.commands.life import connect_console, refuse_pidfd_socket
from wherry.runtime.commands.setting import Setting
from wherry.runtime.request import ExecRequest
from wherry.runtime.spec import load_json, parse_process
from wherry.runtime.spec_types import CapabilitySets, Process, User

_SYNTAX = Syntax(
    values=(
        "additional-gids",
        "apparmor",
        "cap",
        "cgroup",
        "console-socket",
        "cwd",
        "env",
        "pid-file",
        "pidfd-socket",
        "preserve-fds",
        "process",
        "process-label",
        "user",
    ),
    switches=("detach", "ignore-paused", "no-new-privs", "no-subreaper", "tty"),
    aliases={
        "c": "cap",
        "d": "detach",
        "e": "env",
        "g": "additional-gids",
        "p": "process",
        "t": "tty",
        "u": "user",
    },
    most=-1,
)


def command_exec(setting: Setting, words: list[str]) -> int:
    """Run a further process in a container."""
    arguments = read(words, _SYNTAX, interspersed=False)
    container_id = arguments.word(0, "container id")
    refuse_pidfd_socket(arguments)
    request = ExecRequest(
        container_id=container_id,
        state_root=setting.root,
        process=_process(arguments, setting, container_id),
        pid_file=os.path.abspath(arguments.value("pid-file")) if arguments.has("pid-file") else "",
        preserve_fds=arguments.number("preserve-fds"),
        cgroup=arguments.value("cgroup") or None,
        ignore_paused=arguments.has("ignore-paused"),
        filter_cache=setting.filter_cache,
        warn=setting.journal.warning,
    )
    if arguments.has("detach"):
        return _run_detached(arguments, request)
    processes.become_subreaper()
    foreground.hold_signals()
    return _run_attached(arguments, request._replace(die_with_parent=True))


def _run_detached(arguments: Arguments, request: ExecRequest) -> int:
    if arguments.has("console-socket"):
        with connect_console(arguments.value("console-socket")) as sock:
            lifecycle.execute(request._replace(console_socket=sock.fileno()))
    else:
        lifecycle.execute(request)
    return 0


def _run_attached(arguments: Arguments, request: ExecRequest) -> int:
    if arguments.has("console-socket"):
        with connect_console(arguments.value("console-socket")) as sock:
            made = lifecycle.execute(request._replace(console_socket=sock.fileno()))
            return foreground.wait(made.pid)
    if not request.process.terminal:
        return foreground.wait(lifecycle.execute(request).pid)
    terminal = foreground.Terminal()
    made = lifecycle.execute(request._replace(console_socket=terminal.theirs.fileno()))
    terminal.open()
    return terminal.relay(made.pid)


def _process(arguments: Arguments, setting: Setting, container_id: str) -> Process:
    """The process object: from a file, or the container's own with what the options change."""
    if arguments.has("process"):
        value = load_json(arguments.value("process"))
        process = parse_process(value)
        return process._replace(terminal=process.terminal or arguments.has("tty"))
    if len(arguments.words) < 2:
        raise InvalidInput("exec: the command to run is missing")
    base = state.load_spec(setting.root, container_id).process
    assert base is not None
    process = base._replace(
        args=tuple(arguments.words[1:]),
        env=base.env + arguments.all("env"),
        cwd=arguments.value("cwd") or base.cwd,
        terminal=arguments.has("tty"),
        rlimits=base.rlimits,
        user=_user(arguments, base.user),
        apparmor_profile=arguments.value("apparmor") or base.apparmor_profile,
        selinux_label=arguments.value("process-label") or base.selinux_label,
        no_new_privileges=arguments.has("no-new-privs") or base.no_new_privileges,
    )
    return process._replace(capabilities=_capabilities(arguments.all("cap"), base.capabilities))


def _user(arguments: Arguments, base: User) -> User:
    """`--user UID[:GID]` and `--additional-gids`. Raises InvalidInput."""
    gids = [_id(text) for text in arguments.all("additional-gids")]
    user = base._replace(additional_gids=base.additional_gids + tuple(gids))
    if not arguments.has("user"):
        return user
    uid, colon, gid = arguments.value("user").partition(":")
    return user._replace(uid=_id(uid), gid=_id(gid) if colon else user.gid)


def _id(text: str) -> int:
    if not text.isdigit() or int(text) >= 1 << 32:
        raise InvalidInput(f"{text!r} is not a user or group id (names are not known here)")
    return int(text)


def _capabilities(added: tuple[str, ...], base: CapabilitySets | None) -> CapabilitySets | None:
    """`--cap` adds to all sets but the ambient one, where it does if it was inheritable."""
    if not added:
        return base
    sets = base or CapabilitySets()
    return CapabilitySets(
        bounding=sets.bounding + added,
        effective=sets.effective + added,
        inheritable=sets.inheritable,
        permitted=sets.permitted + added,
        ambient=sets.ambient,
    )
