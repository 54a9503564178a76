"""The `process` object: what runs, as whom, with which environment and limits."""

from collections.abc import Sequence

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.engine.spec.facts import User
from wherry.kit.errors import InvalidInput

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RLIMITS = frozenset(
    "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending "
    "stack".split()
)


def arguments(request: ContainerCreateRequest, *, init: bool) -> list[str]:
    """Entrypoint and command, behind the init program where one was asked for."""
    command = [*(request.entrypoint or []), *(request.cmd or [])]
    if not command:
        raise InvalidInput("No command specified")
    return ["/sbin/docker-init", "--", *command] if init else command


def environment(
    request: ContainerCreateRequest, hostname: str, linked: Sequence[str] = ()
) -> list[str]:
    """Docker's own variables first, links', then the container's; a later value of a name wins."""
    base = [PATH, f"HOSTNAME={hostname}"]
    if request.tty:
        base.append("TERM=xterm")
    base += linked
    return merge_environment(base, request.env or [])


def merge_environment(base: list[str], changes: list[str]) -> list[str]:
    """Changes over base, in base's order; a bare `NAME` in the changes removes the name."""
    merged = {entry.partition("=")[0]: entry for entry in base}
    for entry in changes:
        name, equals, _ = entry.partition("=")
        if equals:
            merged[name] = entry
        else:
            merged.pop(name, None)
    return list(merged.values())


def rlimits(request: ContainerCreateRequest) -> list[dict[str, object]]:
    """`--ulimit` as the specification writes it. Raises InvalidInput."""
    result: list[dict[str, object]] = []
    for limit in request.host_config.ulimits or []:
        if limit.name not in RLIMITS:
            raise InvalidInput(f"invalid ulimit type: {limit.name}")
        soft, hard = _unsigned(limit.soft), _unsigned(limit.hard)
        if soft > hard:
            raise InvalidInput(
                f"ulimit soft limit must be less than or equal to hard limit: "
                f"{limit.soft} > {limit.hard}"
            )
        result.append({"type": f"RLIMIT_{limit.name.upper()}", "soft": soft, "hard": hard})
    return result


def _unsigned(value: int) -> int:
    return value & 0xFFFF_FFFF_FFFF_FFFF


def user_object(user: User) -> dict[str, object]:
    """The `user` object."""
    return {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)}


def capability_sets(capabilities: frozenset[str]) -> dict[str, list[str]]:
    """All sets but the inheritable and ambient ones (an inheritable set is CVE-2022-24769)."""
    names = sorted(capabilities)
    return {"bounding": names, "effective": names, "permitted": names}
