"""Finding the program to run and becoming it. Runs inside the container, texts as Go's os/exec."""

import ctypes
import errno
import os
import stat

from wherry.linux.libc import libc
from wherry.linux.path import open_in_root
from wherry.runtime.errors import BadWorkingDirectory, CommandNotExecutable, CommandNotFound

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LARGEST_PASSWD = 1 << 20


def find(name: str, env: tuple[str, ...]) -> str:
    """The path to execute, as execvp would choose it.

    Raises CommandNotFound (127), CommandNotExecutable (126).
    """
    if "/" in name:
        _check(name, name)
        return name
    denied = False
    for folder in search_path(env).split(":"):
        path = f"{folder or '.'}/{name}"
        try:
            _check(name, path)
        except CommandNotFound:
            continue
        except CommandNotExecutable:
            denied = True
            continue
        return path
    if denied:
        raise CommandNotExecutable(f'exec: "{name}": permission denied')
    raise CommandNotFound(f'exec: "{name}": executable file not found in $PATH')


def search_path(env: tuple[str, ...]) -> str:
    """The value of PATH, the last one where there are several."""
    for entry in reversed(env):
        if entry.startswith("PATH="):
            return entry[5:]
    return DEFAULT_PATH


def _check(name: str, path: str) -> None:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        text = (error.strerror or "").lower()
        raise CommandNotFound(f'exec: "{name}": stat {path}: {text}') from error
    except OSError as error:
        text = (error.strerror or "").lower()
        raise CommandNotExecutable(f'exec: "{name}": stat {path}: {text}') from error
    if stat.S_ISDIR(status.st_mode):
        raise CommandNotExecutable(f'exec: "{name}": permission denied')
    if not os.access(path, os.X_OK, effective_ids=True):
        raise CommandNotExecutable(f'exec: "{name}": permission denied')


class Command:
    """execve(2) with everything laid out in memory before a seccomp filter is loaded."""

    __slots__ = ("_argv", "_environment", "_path", "path")

    def __init__(self, path: str, args: tuple[str, ...], env: tuple[str, ...]) -> None:
        self.path = path
        self._path = ctypes.c_char_p(os.fsencode(path))
        self._argv = _array(args)
        self._environment = _array(env)

    def execute(self) -> None:
        """Become the program; returns only by an error: CommandNotFound, CommandNotExecutable."""
        libc.execve(self._path, self._argv, self._environment)
        number = ctypes.get_errno()
        kind = CommandNotFound if number == errno.ENOENT else CommandNotExecutable
        raise kind(f"exec {self.path}: {os.strerror(number).lower()}")


def _array(words: tuple[str, ...]) -> "ctypes.Array[ctypes.c_char_p]":
    return (ctypes.c_char_p * (len(words) + 1))(*(os.fsencode(word) for word in words), None)


def enter_directory(root_fd: int, path: str) -> None:
    """chdir inside the root; /proc's magic links are refused (CVE-2024-21626).

    Raises BadWorkingDirectory.
    """
    try:
        directory = open_in_root(root_fd, path, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        text = (error.strerror or "").rpartition("openat2: ")[2].lower()
        raise BadWorkingDirectory(f"chdir to cwd ({path!r}) set in config.json: {text}") from error
    try:
        os.fchdir(directory)
    except OSError as error:
        text = (error.strerror or "").lower()
        raise BadWorkingDirectory(f"chdir to cwd ({path!r}) set in config.json: {text}") from error
    finally:
        os.close(directory)


def check_directory() -> None:
    """Raises BadWorkingDirectory where the current directory is not below our root."""
    try:
        os.getcwd()
    except OSError as error:
        raise BadWorkingDirectory(
            "the working directory is outside of the container: possible break-out"
        ) from error


def with_home(env: tuple[str, ...], uid: int) -> tuple[str, ...]:
    """The environment with HOME from the container's /etc/passwd where it is not set."""
    for entry in env:
        if entry.startswith("HOME=") and entry != "HOME=":
            return env
    kept = tuple(entry for entry in env if entry != "HOME=")
    return (*kept, f"HOME={home_of(uid)}")


def home_of(uid: int, path: str = "/etc/passwd") -> str:
    """The home directory of a user, `/` where the file does not say."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return "/"
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "/"  # a fifo or a device would hold us up
        data = os.read(descriptor, _LARGEST_PASSWD)
    finally:
        os.close(descriptor)
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) >= 6 and fields[2] == b"%d" % uid:
            return os.fsdecode(fields[5]) or "/"
    return "/"
