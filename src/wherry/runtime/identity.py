"""Who the process is: groups, ids, capabilities, no_new_privs and the filter, in the right order.

Order (measured): a seccomp filter needs CAP_SYS_ADMIN or no_new_privs. With no_new_privs it is
loaded last, so that it may forbid all that comes before; without, it is loaded before the
capabilities go. Setting ids drops PDEATHSIG, so callers set that after it.
"""

import errno
import os
from collections.abc import Callable
from typing import NamedTuple

from wherry.kit.errors import Unsupported
from wherry.linux import capability, process
from wherry.runtime.errors import SetupNotPermitted
from wherry.runtime.request import ignore_warning
from wherry.runtime.spec_types import CapabilitySets, Process, User
from wherry.runtime.trusted import open_beneath_proc, own_directory


class Masks(NamedTuple):
    """The five capability sets as bit masks."""

    bounding: int
    effective: int
    inheritable: int
    permitted: int
    ambient: int


def plan_capabilities(
    sets: CapabilitySets, last: int, warn: Callable[[str], None] = ignore_warning
) -> Masks:
    """Names → masks; what this kernel does not have is left out with a warning (config.md).

    Ambient capabilities that are not permitted and inheritable cannot be raised
    (capabilities(7)) and are left out as well.
    """
    known = {name: number for name, number in capability.NUMBERS.items() if number <= last}
    unknown = {name for names in sets for name in names if name not in known}
    for name in sorted(unknown):
        warn(f"ignoring unknown or unavailable capability {name}")
    masks = Masks(*(capability.mask([name for name in names if name in known]) for names in sets))
    ambient = masks.ambient & masks.permitted & masks.inheritable
    return masks._replace(effective=masks.effective & masks.permitted, ambient=ambient)


def limit_to_held(masks: Masks, held: int, bounding: int) -> Masks:
    """The part that this process can grant: it cannot give what it does not hold."""
    permitted = masks.permitted & held
    inheritable = masks.inheritable & (held | bounding)
    return Masks(
        bounding=masks.bounding & bounding,
        effective=masks.effective & permitted,
        inheritable=inheritable,
        permitted=permitted,
        ambient=masks.ambient & permitted & inheritable,
    )


class Identity(NamedTuple):
    """All that `become` needs, prepared where files can still be opened."""

    user: User
    masks: Masks | None
    last_capability: int
    no_new_privileges: bool
    set_groups: bool


def prepare(
    wanted: Process, proc_fd: int, warn: Callable[[str], None] = ignore_warning
) -> Identity:
    """Read what the kernel has. Raises SetupNotPermitted where groups cannot be had."""
    allowed = _setgroups_allowed(proc_fd)
    if wanted.user.additional_gids and not allowed:
        raise SetupNotPermitted(
            "additional groups cannot be set: setgroups is denied in this user namespace"
        )
    bounding, last = capability.bounding()
    masks = None
    if wanted.capabilities is not None:
        planned = plan_capabilities(wanted.capabilities, last, warn)
        masks = limit_to_held(planned, capability.get()[1], bounding)
    return Identity(wanted.user, masks, last, wanted.no_new_privileges, allowed)


def _setgroups_allowed(proc_fd: int) -> bool:
    descriptor = open_beneath_proc(proc_fd, f"{own_directory(proc_fd)}/setgroups", os.O_RDONLY)
    try:
        return os.read(descriptor, 16).strip() == b"allow"
    finally:
        os.close(descriptor)


def become(identity: Identity, load_filter: Callable[[], None]) -> None:
    """Take on the identity; with no_new_privs the filter is left to the caller, as the last step.

    Raises OSError, SetupNotPermitted.
    """
    if identity.no_new_privileges:
        process.set_no_new_privileges()
    else:
        load_filter()
    if identity.masks is not None:
        capability.limit_bounding(identity.masks.bounding, identity.last_capability)
    process.prctl(process.PR_SET_KEEPCAPS, 1)
    set_ids(identity.user, identity.set_groups)
    process.prctl(process.PR_SET_KEEPCAPS, 0)
    if identity.masks is not None:
        _set_capabilities(identity.masks)


def _set_capabilities(masks: Masks) -> None:
    capability.set_thread(masks.effective, masks.permitted, masks.inheritable)
    try:
        capability.set_ambient(masks.ambient)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Unsupported("ambient capabilities need kernel 4.3") from error


def set_ids(user: User, set_groups: bool) -> None:
    """Groups, then gid, then uid. Raises SetupNotPermitted naming an id that is not mapped.

    What is so already is not asked for: a filter may have such calls wait for somebody's answer.
    """
    try:
        if set_groups:
            os.setgroups(user.additional_gids)
        if os.getresgid() != (user.gid,) * 3:
            os.setresgid(user.gid, user.gid, user.gid)
        if os.getresuid() != (user.uid,) * 3:
            os.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        raise SetupNotPermitted(
            f"cannot become user {user.uid}, group {user.gid}: {error.strerror} "
            "(an id that the user namespace does not map gives Invalid argument)"
        ) from error
    if os.getresuid() != (user.uid,) * 3 or os.getresgid() != (user.gid,) * 3:
        raise SetupNotPermitted(  # a filter may answer such calls with success and do nothing
            f"user {user.uid}, group {user.gid} is not mapped in this user namespace"
        )
