"""Writes into control files as values, and carrying them out.

A plan is a list of writes, made without looking at the machine. What depends on the present state
is said in the value itself: try again after the others (limits that check each other), use another
file where the first is missing (I/O schedulers), do without (controls of some kernels only).
"""

import errno
import os
from collections.abc import Iterable
from typing import NamedTuple

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux.cgroup.directory import Directory
from wherry.runtime.resources import Rdma

_REFUSALS = (errno.EINVAL, errno.ERANGE, errno.EBUSY, errno.EOPNOTSUPP, errno.ENODEV, errno.EPERM)
_MISSING = (errno.ENOENT, errno.EACCES)  # creating a file in cgroupfs is EACCES or EPERM


class Write(NamedTuple):
    """Put `value` into `file` of the controller's hierarchy.

    `again`: on EINVAL, once more after the other writes (the old value of another file was in the
    way). `instead`: what to write where the file does not exist. `optional`: leave it out there.
    """

    controller: str
    file: str
    value: str
    again: bool = False
    instead: "Write | None" = None
    optional: bool = False


def carry_out(directory: Directory, writes: Iterable[Write]) -> None:
    """Do the writes in one directory. Raises InvalidInput, Unsupported, OSError."""
    later: list[Write] = []
    for write in writes:
        try:
            _put(directory, write)
        except OSError as error:
            if not (write.again and error.errno == errno.EINVAL):
                raise _explained(directory, write, error) from error
            later.append(write)
    for write in later:
        try:
            _put(directory, write)
        except OSError as error:
            raise _explained(directory, write, error) from error


def _put(directory: Directory, write: Write) -> None:
    try:
        directory.write(write.file, write.value)
    except FileNotFoundError:
        if write.instead is not None:
            _put(directory, write.instead)
        elif not write.optional:
            raise


def _explained(directory: Directory, write: Write, error: OSError) -> Exception:
    """The kernel's refusal in words; other errors as they are."""
    where = f"{directory.path}/{write.file}"
    if error.errno in _MISSING and not directory.has(write.file):
        return Unsupported(f"this kernel has no {where}, which {write.value!r} was asked for")
    if error.errno not in _REFUSALS:
        return error
    reason = os.strerror(error.errno or 0).lower()
    if write.file in ("memory.limit_in_bytes", "memory.max") and error.errno == errno.EBUSY:
        used = directory.read(write.file.replace("limit_in_bytes", "usage_in_bytes")).strip()
        reason = f"{used} bytes are in use"
    return InvalidInput(f"the kernel refuses {write.value!r} for {where}: {reason}")


def rdma_line(device: Rdma) -> str:
    """A line of rdma.max, which is the same in v1 and v2."""
    values = (("hca_handle", device.hca_handles), ("hca_object", device.hca_objects))
    limits = " ".join(f"{name}={value}" for name, value in values if value is not None)
    return f"{device.device} {limits}"
