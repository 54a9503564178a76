"""AppArmor profiles and SELinux labels: used where the kernel has them, a clear error elsewhere."""

import errno
import os

from wherry.kit.errors import Unsupported
from wherry.runtime.errors import SetupNotPermitted
from wherry.runtime.spec_types import Linux, Process
from wherry.runtime.trusted import own_directory, write_beneath_proc

_APPARMOR_ENABLED = "/sys/module/apparmor/parameters/enabled"
_SELINUX = "/sys/fs/selinux"


def has_apparmor() -> bool:
    """Whether the kernel runs AppArmor."""
    try:
        with open(_APPARMOR_ENABLED, encoding="ascii") as file:
            return file.read().startswith("Y")
    except OSError:
        return False


def has_selinux() -> bool:
    """Whether the kernel runs SELinux."""
    return os.path.exists(f"{_SELINUX}/enforce")


def check_labels(process: Process, linux: Linux | None = None) -> None:
    """Raises Unsupported where a label is asked for and the machine does not have the module."""
    if process.apparmor_profile and not has_apparmor():
        raise Unsupported(
            f"process.apparmorProfile {process.apparmor_profile!r}: AppArmor is not enabled here"
        )
    mount_label = linux.mount_label if linux is not None else ""
    if (process.selinux_label or mount_label) and not has_selinux():
        label = process.selinux_label or mount_label
        raise Unsupported(f"SELinux label {label!r}: SELinux is not enabled here")


def set_exec_labels(proc_fd: int, process: Process) -> None:
    """Have the next execve change to the profile or label, through the host's procfs.

    Raises SetupNotPermitted where the kernel does not accept it.
    """
    folder = f"{own_directory(proc_fd)}/attr"
    if process.apparmor_profile:
        text = f"exec {process.apparmor_profile}"
        try:
            write_beneath_proc(proc_fd, f"{folder}/apparmor/exec", text)
        except FileNotFoundError:  # before kernel 5.1 the modules shared one file
            _write(proc_fd, f"{folder}/exec", text)
        except OSError as error:
            raise _refused(text, error) from error
    if process.selinux_label:
        _write(proc_fd, f"{folder}/exec", process.selinux_label)


def _write(proc_fd: int, path: str, text: str) -> None:
    try:
        write_beneath_proc(proc_fd, path, text)
    except OSError as error:
        raise _refused(text, error) from error


def _refused(text: str, error: OSError) -> SetupNotPermitted:
    hint = " (is the profile loaded?)" if error.errno == errno.ENOENT else ""
    return SetupNotPermitted(f"label {text!r} was refused: {error.strerror}{hint}")
